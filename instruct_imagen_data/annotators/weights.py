"""Weight files: where they lie, what they must hash to, and how they are fetched on first use."""

import dataclasses
import hashlib
import io
import os
import shutil
import socket
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from instruct_imagen_data.errors import UsageError

if TYPE_CHECKING:
    import torch

UNVERIFIED = "unverified"  # a model set says so where its publisher states no hash
CACHE_VARIABLE = "INSTRUCT_IMAGEN_CACHE"
_TIMEOUT_SECONDS = 60.0
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Weights:
    """One weight file of a model set.

    Attributes:
        role: What it serves: quality, image_text, depth ...
        path: Where the file is, or is to be put; absolute.
        sha256: Hex digest the file must have, or `UNVERIFIED`.
        url: Where it is published, or None for a file that is only local.
        licence: Of the weights.
        source: Who made them, in words.
    """

    role: str
    path: Path
    sha256: str
    url: str | None
    licence: str
    source: str

    @property
    def verified(self) -> bool:
        """Whether the model set knows the hash of the file."""
        return self.sha256 != UNVERIFIED


def cache_folder() -> Path:
    """Where fetched weights are kept: $INSTRUCT_IMAGEN_CACHE, else ~/.cache/instruct-imagen."""
    folder = os.environ.get(CACHE_VARIABLE)
    return Path(folder) if folder else Path.home() / ".cache" / "instruct-imagen"


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file, or of a folder's files with their names below it."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        lines = [f"{sha256_of(one)}  {one.relative_to(path).as_posix()}\n" for one in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_state(path: Path, packed: str | None = None) -> dict[str, "torch.Tensor"]:
    """A network's tensors by name, from safetensors or a file of torch's, of tensors alone.

    Training checkpoints keep them under "state_dict", and DataParallel puts "module." before each
    name: both are taken off.

    Args:
      path: The file.
      packed: The file's own name, where it is published inside a zip archive: `path` may be the
        archive, or what was taken out of it.
    """
    import torch
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        return load_file(path)
    file = path if packed is None else _unpacked(path, packed)
    state = torch.load(file, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _unpacked(path: Path, name: str) -> Path | io.BytesIO:
    """The member of that name, in whatever folder of a zip archive; else the file itself."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.rpartition("/")[2] == name:
                    return io.BytesIO(archive.read(member))
    return path


def check(weights: Weights) -> None:
    """Returns only if the file is there and hashes to what the model set says.

    Raises:
      UsageError: the file is missing or another one; names the role, the URL and the path.
    """
    if not weights.path.is_file():
        raise UsageError(f"{weights.role}: no weight file at {weights.path}. {_remedy(weights)}")
    if not weights.verified:
        return
    found = sha256_of(weights.path)
    if found != weights.sha256:
        raise UsageError(
            f"{weights.role}: {weights.path} is not the file of the model set: its sha256 is "
            f"{found}, not {weights.sha256}. {_remedy(weights)}"
        )


def fetch(weights: Weights) -> Path:
    """Path of a checked weight file; downloads it first where it is missing and has a URL.

    The file appears under its name only when it is whole and has the right hash.

    Raises:
      UsageError: it cannot be had, or what came is not what the model set says.
    """
    if weights.url is not None and not weights.path.exists():
        weights.path.parent.mkdir(parents=True, exist_ok=True)
        part = weights.path.with_name(f".{weights.path.name}.{socket.gethostname()}.{os.getpid()}")
        try:
            _download(weights, weights.url, part)
            check(dataclasses.replace(weights, path=part))
            part.replace(weights.path)
        finally:
            part.unlink(missing_ok=True)
    check(weights)
    return weights.path


def _download(weights: Weights, url: str, path: Path) -> None:
    """Writes what the URL holds to the path, whole, under a progress bar."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            length = answer.headers.get("Content-Length")
            total = None if length is None else int(length)
            bar: Any = {"total": total, "unit": "B", "unit_scale": True, "desc": weights.path.name}
            with path.open("wb") as file, tqdm.wrapattr(file, "write", **bar) as counted:
                shutil.copyfileobj(answer, counted, _CHUNK)
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise UsageError(f"{weights.role}: no download: {reason}. {_remedy(weights)}") from error
    # A connection that is cut short ends like a whole answer; not every file has a known hash.
    if total is not None and path.stat().st_size != total:
        found = path.stat().st_size
        raise UsageError(f"{weights.role}: {found} of {total} bytes came. {_remedy(weights)}")


def _remedy(weights: Weights) -> str:
    """What the caller can do about a missing or wrong file."""
    if weights.url is None:
        return f"Put the right file at {weights.path} ({weights.source})."
    return f"Get {weights.url} and put it at {weights.path}."
