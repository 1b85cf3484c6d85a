"""What a caption is: one line of text, or the reason why there is none."""

import dataclasses

REFUSED = "caption_refused"  # the model, or a policy around it, would not
MALFORMED = "caption_malformed"  # what came is no caption: nothing, or a text cut short
_LONGEST = 1000  # characters


@dataclasses.dataclass(frozen=True, slots=True)
class NoCaption:
    """Why a picture got no caption.

    Attributes:
        reason: REFUSED or MALFORMED.
        detail: What came instead.
    """

    reason: str
    detail: str


def caption_of(text: str) -> str | NoCaption:
    """The caption that a model's text is: on one line, without quotation marks around it."""
    caption = " ".join(text.split())
    if len(caption) > 1 and caption[0] == caption[-1] and caption[0] in "\"'":
        caption = caption[1:-1].strip()
    if not caption:
        return NoCaption(MALFORMED, "an empty text")
    if len(caption) > _LONGEST:
        return NoCaption(MALFORMED, f"{len(caption)} characters")
    return caption
