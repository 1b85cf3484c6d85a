"""WebDataset tars as img2dataset writes them: KEY.jpg, KEY.txt, KEY.json."""

import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import Self

import pyarrow as pa

from instruct_imagen_data import storage
from instruct_imagen_data.stages.formats import rows

_TEXT_MEMBERS = frozenset({"txt", "json", "caption", "cls", "text"})
_SAMPLED_MEMBERS = 300
_MAX_HEADER_BYTES = 1 << 20  # of a long name or of attributes: tarfile reads them whole
_HEADERS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
# What a broken tar raises; an OSError of the disk or the network is none of these, and stops the
# job, which may be started again.
_BROKEN = (tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, ValueError)

Member = tuple[str, str, bytes | None, int]  # stem, extension, bytes or None if too large, size


class _Tar(tarfile.TarFile):
    """A tar that may be several, one behind the other; `ended` after an end mark."""

    ended = False


class _TarInfo(tarfile.TarInfo):
    """Headers of an untrusted tar: tarfile takes a broken one in the middle for the end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        try:
            header = super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            tar.ended = True  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            if tar.ended:  # type: ignore[attr-defined]
                raise
            raise tarfile.ReadError("it ends without an end mark") from None
        except (tarfile.HeaderError, LookupError, OverflowError) as error:
            raise tarfile.ReadError(str(error)) from error
        tar.ended = False  # type: ignore[attr-defined]
        return header

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _HEADERS and self.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]


def _sample(name: str, members: list[Member]) -> Iterator[rows.Row]:
    """The rows of one sample: usually one picture, its text and its metadata."""
    stem = members[0][0]
    texts = {ext: data for _, ext, data, _ in members if ext in _TEXT_MEMBERS and data is not None}
    fields = rows.fields_of(texts["json"]) if "json" in texts else {}
    caption = next((rows.text(texts[e]) for e in ("txt", "caption", "text") if e in texts), None)
    url = next((rows.text(fields[n]) for n in rows.USUAL["url"] if n in fields), "")
    pictures = [member for member in members if member[1] not in _TEXT_MEMBERS]
    if not pictures:
        yield rows.reject(f"{name}#{stem}", "missing_image", url=url, caption=caption or "")
    for i, (_, ext, data, size) in enumerate(pictures):
        # A second picture under one stem is a row of its own: nothing is lost.
        origin = f"{name}#{stem}" if i == 0 else f"{name}#{stem}.{ext}"
        if data is None:
            yield rows.reject(origin, "too_many_bytes", f"{size} bytes", url, caption or "")
        else:
            yield rows.pair(origin, fields, caption, data, url)


def _open(source: pa.NativeFile) -> tarfile.TarFile:
    """A tar, compressed or not, for reading once from its start."""
    return _Tar.open(fileobj=source, mode="r|*", tarinfo=_TarInfo, ignore_zeros=True)


def _name(entry: tarfile.TarInfo) -> tuple[str, str]:
    """(stem, extension) of a member; the stem ends at the first dot of the file's name."""
    folder, _, base = entry.name.rpartition("/")
    stem, _, extension = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem).removeprefix("./"), extension.lower()


def _read(tar: tarfile.TarFile, entry: tarfile.TarInfo, held: int) -> bytes | None:
    """The bytes of a member; None if they would be too many with those `held` of its sample."""
    if held + entry.size > rows.MAX_MEMBER_BYTES:
        return None
    stream = tar.extractfile(entry)
    return stream.read() if stream else b""


def read_tar(path: str, name: str, _: rows.Columns) -> Iterator[rows.Row]:
    """Samples of a WebDataset tar (KEY.jpg, KEY.txt, KEY.json), read once from its start.

    A tar that ends or breaks in the middle gives the samples before that and one reject,
    `unreadable_shard`, for the sample it breaks in: what is left of that may lack its caption.
    """
    sample: list[Member] = []
    count, stem = 0, "(end)"
    with storage.open_stream(path) as source:
        try:
            with _open(source) as tar:
                for entry in filter(tarfile.TarInfo.isfile, tar):
                    tar.members.clear()  # type: ignore[attr-defined]  # tarfile remembers them all
                    stem, extension = _name(entry)
                    if sample and sample[0][0] != stem:
                        yield from _sample(name, sample)
                        sample, count = [], count + 1
                    held = sum(len(data or b"") for _, _, data, _ in sample)
                    sample.append((stem, extension, _read(tar, entry, held), entry.size))
        except _BROKEN as error:
            yield rows.unreadable(name, count, error, stem)
            return
    if sample:
        yield from _sample(name, sample)


def bytes_per_row(path: str) -> float:
    """About how many bytes of a tar hold one sample, from its start; 0 where that is no tar."""
    try:
        with storage.open_stream(path) as source, _open(source) as tar:
            members = [member for member, _ in zip(tar, range(_SAMPLED_MEMBERS), strict=False)]
    except _BROKEN:
        return 0.0
    blocks = sum(1 + -(-member.size // 512) for member in members)  # a header block each
    stems = {member.name.split(".")[0] for member in members}
    return 512 * blocks / len(stems) if stems else 0.0
