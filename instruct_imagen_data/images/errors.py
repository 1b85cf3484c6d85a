"""Why a file is no usable picture."""

REASONS = (
    "empty_image",  # no bytes at all
    "not_an_image",  # a web page, JSON, noise
    "unsupported_format",  # a picture, but of a kind that is not read here
    "truncated",  # ends before its picture does
    "corrupt",  # contradicts itself, or its decoder gives up
    "too_many_pixels",
    "too_small",
    "aspect_ratio",
)


class DecodeError(ValueError):
    """Bytes that give no usable picture; `reason` is one of REASONS, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        if reason not in REASONS:
            raise AssertionError(f"{reason!r} is no reason: {REASONS}")
        super().__init__(reason, detail)  # both, so that the error survives pickling
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
