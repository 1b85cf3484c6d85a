"""WebDataset tars as img2dataset writes them: KEY.jpg, KEY.txt, KEY.json."""

import tarfile
from collections.abc import Iterator

from instruct_imagen_data import storage
from instruct_imagen_data.stages.formats import rows

_TEXT_MEMBERS = frozenset({"txt", "json", "caption", "cls", "text"})
_SAMPLED_MEMBERS = 300


def _sample(
    name: str, stem: str, members: list[tuple[str, bytes | None, int]]
) -> Iterator[rows.Row]:
    """The rows of one sample: usually one picture, its text and its metadata.

    Args:
      members: (extension, bytes or None if too large, size), in the tar's order.
    """
    texts = {ext: data for ext, data, _ in members if ext in _TEXT_MEMBERS and data is not None}
    fields = rows.fields_of(texts["json"]) if "json" in texts else {}
    caption = next((rows.text(texts[e]) for e in ("txt", "caption", "text") if e in texts), None)
    url = next((rows.text(fields[n]) for n in rows.USUAL["url"] if n in fields), "")
    pictures = [member for member in members if member[0] not in _TEXT_MEMBERS]
    if not pictures:
        yield rows.reject(f"{name}#{stem}", "missing_image", url=url, caption=caption or "")
    for i, (ext, data, size) in enumerate(pictures):
        # A second picture under one stem is a row of its own: nothing is lost.
        origin = f"{name}#{stem}" if i == 0 else f"{name}#{stem}.{ext}"
        if data is None:
            yield rows.reject(origin, "too_many_bytes", f"{size} bytes", url, caption or "")
        else:
            yield rows.pair(origin, fields, caption, data, url)


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, str, bytes | None, int]]:
    """(stem, extension, bytes, size) of each regular file; the stem ends at the first dot."""
    for member in tar:
        if not member.isfile():
            continue
        folder, _, base = member.name.rpartition("/")
        stem, _, extension = base.partition(".")
        data: bytes | None = None
        if member.size <= rows.MAX_MEMBER_BYTES:
            stream = tar.extractfile(member)
            data = stream.read() if stream else b""
        full = f"{folder}/{stem}" if folder else stem
        yield full.removeprefix("./"), extension.lower(), data, member.size


def read_tar(path: str, name: str, _: rows.Columns) -> Iterator[rows.Row]:
    """Samples of a WebDataset tar (KEY.jpg, KEY.txt, KEY.json), read once from its start.

    A tar that ends or breaks in the middle gives the samples before that and one reject,
    `unreadable_shard`, that says where.
    """
    stem, members = "", list[tuple[str, bytes | None, int]]()
    try:
        with storage.open_stream(path) as source, tarfile.open(fileobj=source, mode="r|*") as tar:
            for member_stem, extension, data, size in _members(tar):
                if members and member_stem != stem:
                    yield from _sample(name, stem, members)
                    members = []
                stem = member_stem
                members.append((extension, data, size))
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and not isinstance(error, tarfile.TarError) and error.errno:
            raise  # the disk or the network, not the file: the job may be started again
        where = f"after sample {stem!r}" if stem else "at its start"
        yield rows.reject(f"{name}#(end)", "unreadable_shard", f"{where}: {error}")
    if members:
        yield from _sample(name, stem, members)


def bytes_per_row(path: str) -> float:
    """About how many bytes of a tar hold one sample, from its start; 0 where that is no tar."""
    try:
        with storage.open_stream(path) as source, tarfile.open(fileobj=source, mode="r|*") as tar:
            members = [member for member, _ in zip(tar, range(_SAMPLED_MEMBERS), strict=False)]
    except (tarfile.TarError, EOFError, OSError, ValueError):
        return 0.0
    blocks = sum(1 + -(-member.size // 512) for member in members)  # a header block each
    stems = {member.name.split(".")[0] for member in members}
    return 512 * blocks / len(stems) if stems else 0.0
