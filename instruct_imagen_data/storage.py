"""The one way to files: local paths, s3:// and gs:// through `pyarrow.fs`.

Places are plain strings (paths or URIs). A file appears whole or not at all: it is serialised in
memory first, then put under its name by one rename (local) or one put (object store); an exception
inside an open pyarrow stream would publish what had been written so far.
"""

import contextlib
import dataclasses
import errno
import fnmatch
import functools
import os
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from instruct_imagen_data.errors import UsageError

_GLOB = re.compile(r"[*?\[]")
_GS_RETRY_SECONDS = 60  # pyarrow's own default is 15 minutes, which looks like a hang


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class File:
    """A file and its size in bytes."""

    path: str
    size: int

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def scheme(place: str) -> str:
    """ "s3", "gs", or "" for a local path."""
    head, separator, _ = place.partition("://")
    return head.lower() if separator else ""


def _split(place: str) -> tuple[str, str, str]:
    """(scheme, bucket with what stands before an @, key) of a URI.

    By hand: a key may hold "#", "?" and "%", which a URL parser takes for something else.
    """
    head, _, rest = place.partition("://")
    authority, _, key = rest.partition("/")
    return head.lower(), authority, key


@functools.lru_cache(maxsize=64)
def _filesystem(kind: str, authority: str) -> pafs.FileSystem:
    if kind in ("", "file"):
        return pafs.LocalFileSystem()
    options = f"?retry_limit_seconds={_GS_RETRY_SECONDS}" if kind == "gs" else ""
    if kind == "s3" and os.environ.get("AWS_ENDPOINT_URL"):
        # An S3 of one's own: pyarrow would ask Amazon where the bucket is.
        options = f"?region={os.environ.get('AWS_DEFAULT_REGION', 'us-east-1')}"
    try:
        return pafs.FileSystem.from_uri(f"{kind}://{authority}/x{options}")[0]
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"cannot open {kind}://{authority}: {error}") from error


def open_place(place: str) -> tuple[pafs.FileSystem, str]:
    """(file system, path on it) of a local path or an s3:// or gs:// URI."""
    kind = scheme(place)
    if kind in ("", "file"):
        return _filesystem("", ""), os.path.abspath(place.removeprefix("file://"))
    if kind not in ("s3", "gs"):
        raise UsageError(f"{place}: {kind}:// is not known; use a local path, s3:// or gs://")
    _, authority, key = _split(place)
    if not authority:
        raise UsageError(f"{place}: no bucket is named")
    bucket = authority.rsplit("@", 1)[-1]
    return _filesystem(kind, authority), f"{bucket}/{key}".rstrip("/")


def join(place: str, *names: str) -> str:
    """The place of a file or folder inside a folder."""
    return "/".join((place.rstrip("/") or "/", *names)).replace("//", "/", 1 if place == "/" else 0)


def _named(place: str, path: str) -> str:
    """A path of the file system as the user would write it: URIs stay URIs."""
    kind = scheme(place)
    if kind in ("", "file"):
        return path
    return f"{kind}://{_split(place)[1]}/{path.split('/', 1)[-1]}"


def below(folder: str, file: File) -> str:
    """The path of a listed file below the folder that was listed."""
    local = scheme(folder) in ("", "file")
    start = open_place(folder)[1] if local else folder
    return file.path[len(start.rstrip("/")) + 1 :]


def list_files(folder: str, recursive: bool = False) -> list[File]:
    """The files of a folder, sorted by path; a folder that does not exist is empty."""
    fs, path = open_place(folder)
    selector = pafs.FileSelector(path, allow_not_found=True, recursive=recursive)
    found = fs.get_file_info(selector)
    return sorted(
        File(_named(folder, one.path), one.size) for one in found if one.type == pafs.FileType.File
    )


def list_folders(folder: str) -> list[str]:
    """The folders right inside a folder, sorted; a folder that does not exist has none."""
    fs, path = open_place(folder)
    found = fs.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(_named(folder, one.path) for one in found if one.type == pafs.FileType.Directory)


def parent(folder: str) -> str:
    """The folder that a folder is in; of a bucket, the bucket itself."""
    place = folder.rstrip("/")
    if scheme(place) in ("", "file"):
        return os.path.dirname(open_place(place)[1])
    head, separator, key = place.partition("://")
    return f"{head}{separator}{key.rpartition('/')[0] or key}"


def find(place: str) -> File | None:
    """The file of that name, or None: nothing there, a folder, a pipe or a device."""
    fs, path = open_place(place)
    try:
        (one,) = fs.get_file_info([path])
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return None  # no file can have that name
    return File(_named(place, path), one.size) if one.type == pafs.FileType.File else None


def glob(pattern: str) -> list[File]:
    """Files that match a pattern (`*`, `?`, `[...]`; a `*` crosses no folder), sorted by path.

    What names a file or a folder as it stands (of a folder, its files, one level) is no pattern.
    """
    if not _GLOB.search(pattern) or exists(pattern):
        file = find(pattern)
        return [file] if file else list_files(pattern)
    fixed: list[str] = []
    pieces = pattern.split("/")
    while not _GLOB.search(pieces[0]):
        fixed.append(pieces.pop(0))
    base = "/".join(fixed) or ("/" if pattern.startswith("/") else ".")
    depth = open_place(base)[1].rstrip("/").count("/") + len(pieces)

    def matches(file: File) -> bool:
        path = open_place(file.path)[1]
        tail = path.split("/")[-len(pieces) :]
        return path.count("/") == depth and all(map(fnmatch.fnmatchcase, tail, pieces))

    return [file for file in list_files(base, recursive=len(pieces) > 1) if matches(file)]


def exists(place: str) -> bool:
    """Whether a file or folder is there."""
    fs, path = open_place(place)
    return bool(fs.get_file_info([path])[0].type != pafs.FileType.NotFound)


def read_bytes(place: str) -> bytes:
    """The whole of a file. Raises FileNotFoundError."""
    fs, path = open_place(place)
    with fs.open_input_file(path) as stream:
        return bytes(stream.read())


def open_random(place: str) -> pa.NativeFile:
    """A file for reading by range; local files are memory-mapped."""
    fs, path = open_place(place)
    if isinstance(fs, pafs.LocalFileSystem):
        return pa.memory_map(path)
    return fs.open_input_file(path)


def open_stream(place: str) -> pa.NativeFile:
    """A file for reading from its start, in bounded memory."""
    fs, path = open_place(place)
    # No guess at compression: a .tar.gz is opened by tarfile itself.
    return fs.open_input_stream(path, compression=None, buffer_size=1 << 20)


def write_bytes(place: str, data: bytes | pa.Buffer) -> None:
    """Puts a whole file under its name at once, over an existing one.

    Equal jobs put equal bytes, so two writers of one name do no harm.
    """
    with writing(place) as stream:
        stream.write(data)


@contextlib.contextmanager
def writing(place: str) -> Iterator[Any]:
    """A file to write piece by piece, for what is too large to be held: checkpoints.

    A local file gets its name when the body ends well. On an object store it is a multipart upload
    of any size, and what an exception leaves is published: it needs a manifest, written later.
    """
    fs, path = open_place(place)
    if not isinstance(fs, pafs.LocalFileSystem):
        with fs.open_output_stream(path, compression=None) as stream:
            yield stream
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    host, process, thread = socket.gethostname(), os.getpid(), threading.get_ident()
    temporary = f"{path}.{host}-{process}-{thread}.tmp"
    try:
        with open(temporary, "wb") as file:
            yield file
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):  # it was renamed
            os.unlink(temporary)


def delete(place: str) -> None:
    """Removes a file, or a folder with all that is in it; nothing there is no error."""
    fs, path = open_place(place)
    (one,) = fs.get_file_info([path])
    if one.type == pafs.FileType.Directory:
        fs.delete_dir(path)
    elif one.type == pafs.FileType.File:
        fs.delete_file(path)


def empty(folder: str) -> None:
    """Removes all that is in a folder or bucket; the folder itself may be a mount and stays."""
    fs, path = open_place(folder)
    if fs.get_file_info([path])[0].type == pafs.FileType.Directory:
        fs.delete_dir_contents(path)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sweep_temporary(folder: str) -> None:
    """Removes what killed writers of this host left in a local folder; live writers are spared.

    To be called before this process writes: a temporary file of its number is another's, since in
    a container numbers start anew.
    """
    if scheme(folder) not in ("", "file"):
        return
    ours = re.compile(rf"\.{re.escape(socket.gethostname())}-(\d+)-\d+\.tmp$")
    for file in list_files(folder, recursive=True):
        found = ours.search(file.name)
        if found and (int(found[1]) == os.getpid() or not _alive(int(found[1]))):
            with contextlib.suppress(FileNotFoundError):  # another job sweeps too
                os.unlink(file.path)
