"""Named tensors in a safetensors file, one at a time: a part of a checkpoint may be 11 GB.

safetensors' own functions want all of a file in memory, or a local path. The format: the length of
a header, the header (JSON: name to type, shape and place), then the numbers.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from instruct_imagen_data import storage
from instruct_imagen_data.errors import UsageError

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}


def write(place: str, tensors: Mapping[str, Tensor], *, here: bool = True) -> None:
    """Writes the tensors, whole: those in shards are gathered, so all ranks call this together.

    Args:
      here: Whether this process is the one that writes.
    """
    # The widest types first: each number then lies where its type may.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    if not here:
        for name in names:
            _whole(tensors[name])
        return
    with storage.writing(place) as stream:
        stream.write(_header(names, tensors))
        for name in names:
            flat = _whole(tensors[name]).detach().cpu().contiguous().reshape(-1)
            stream.write(flat.view(torch.uint8).numpy().data)


def _header(names: list[str], tensors: Mapping[str, Tensor]) -> bytes:
    """The length of the header and the header, padded to a multiple of eight."""
    told: dict[str, Any] = {}
    end = 0
    for name in names:
        one = tensors[name]
        begin, end = end, end + one.numel() * one.element_size()
        told[name] = {
            "dtype": _NAMES[one.dtype],
            "shape": list(one.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(told, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def read(place: str) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor on the CPU) of each, in the order of the file.

    Raises:
      UsageError: the file ends too soon.
    """
    with storage.open_random(place) as file:
        length = int.from_bytes(_bytes(file, 8, place), "little")
        told = json.loads(_bytes(file, length, place))
        told.pop("__metadata__", None)
        for name, one in sorted(told.items(), key=lambda pair: pair[1]["data_offsets"]):
            begin, end = one["data_offsets"]
            data = bytearray(_bytes(file, end - begin, place))
            kind = _TYPES[one["dtype"]]
            flat = torch.frombuffer(data, dtype=kind) if data else torch.empty(0, dtype=kind)
            yield name, flat.reshape(one["shape"])


def _bytes(file: Any, count: int, place: str) -> bytes:
    found: bytes = file.read(count)
    if len(found) != count:
        raise UsageError(f"{place} is damaged: it ends too soon")
    return found


def like(tensor: Tensor, model: Tensor) -> Tensor:
    """A whole tensor on the device of another, and in shards where that is."""
    moved = tensor.to(model.device)
    if not isinstance(model, DTensor):
        return moved
    # Each rank has read the whole: nothing needs to be sent.
    return distribute_tensor(moved, model.device_mesh, model.placements, src_data_rank=None)


def local(tensor: Tensor) -> Tensor:
    """What of a tensor this process holds: all of it, or its shard."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
