"""What a planted source set is made of: paths and contents, drawn from a seed alone."""

from collections.abc import Iterable, Iterator

Files = Iterator[tuple[str, bytes]]  # path within the set's folder and content, lists last


def text(lines: Iterable[str]) -> bytes:
    """A text file of those lines."""
    return "".join(f"{line}\n" for line in lines).encode("ascii")
