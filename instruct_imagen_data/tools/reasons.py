"""The reasons of the jobs in words, in the order in which a row meets them."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Reason:
    """A reject reason in words.

    Attributes:
      title: A few words.
      text: A sentence on when a row gets it.
      measure: What `value` and `threshold` of the row are; '' where there are none.
    """

    title: str
    text: str
    measure: str = ""


UNREADABLE: dict[str, Reason] = {
    "empty_image": Reason("no bytes", "The image member is there, but empty."),
    "not_an_image": Reason("not an image", "A web page, text or noise under an image's name."),
    "unsupported_format": Reason("other format", "A picture of a kind that is not read here."),
    "truncated": Reason("cut short", "The file ends before its picture does."),
    "corrupt": Reason("damaged", "The file contradicts itself, or its decoder gives up."),
    "too_many_pixels": Reason("too many pixels", "Its header claims more than the pixel limit."),
    "too_small": Reason("too small", "Its shorter side is under --min-side."),
    "aspect_ratio": Reason("too long or tall", "One side is more than four times the other."),
    "empty_caption": Reason("no caption", "The picture is fine, but nothing describes it."),
}
UNCHOSEN: dict[str, Reason] = {
    "low_quality": Reason(
        "low quality",
        "Below its source's quality quantile, or below the floor of the model set.",
        "quality",
    ),
    "domain": Reason(
        "no clear domain",
        "Of a reject class, or not clearly of one domain.",
        "probability",
    ),
    "low_similarity": Reason(
        "caption does not fit",
        "Picture and caption are too far apart for the image-text network.",
        "similarity",
    ),
}
DUPLICATE: dict[str, Reason] = {
    "duplicate": Reason(
        "duplicate",
        "A better copy of the same picture stayed, and is named.",
        "cosine",
    ),
}
UNUSED: dict[str, Reason] = {
    "no_neighbours": Reason(
        "no neighbours", "Fewer than four other pictures lie near it.", "candidates"
    ),
    "band": Reason(
        "outside the band",
        "Too few of its neighbours are near enough to be of one thing and far enough to differ.",
        "cosine of its fourth neighbour",
    ),
    "leftover": Reason(
        "left over",
        "Its neighbours were used up by others, or are too near or too far from each other.",
    ),
}
ALL: dict[str, Reason] = {**UNREADABLE, **UNCHOSEN, **DUPLICATE, **UNUSED}
EVIDENCE: dict[str, str] = {
    "bytes": "the same bytes",
    "url": "the same address",
    "vector": "nearly the same picture",
    "caption": "the same caption and nearly the same picture",
    "file": "the same file name on one site and nearly the same picture",
}


def of(reason: str) -> Reason:
    """The words of a reason; one that is not known here speaks for itself."""
    return ALL.get(reason, Reason(reason.replace("_", " "), ""))
