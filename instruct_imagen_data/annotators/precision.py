"""On which device and in which number format inference runs: resolved once, at the launch."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from instruct_imagen_data.errors import UsageError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS = ("fp32", "bf16", "fp16")
BATCH = 32  # rows that go through a network together
_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16", "sve_bf16"})  # x86 names, then Arm's


def cpu_has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this CPU multiplies bf16 in hardware; elsewhere bf16 is several times slower.

    False where the file is missing: Linux alone tells.
    """
    if not cpuinfo.is_file():
        return False
    for line in cpuinfo.read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not _CPU_FLAGS.isdisjoint(value.split())
    return False


def check_device(device: str) -> None:
    """Raises UsageError for a device that is not known, or not there."""
    if device == "cpu":
        return
    if device != "cuda":
        raise UsageError(f"--device {device}: known are cpu and cuda")
    import torch

    if not torch.cuda.is_available():
        raise UsageError("--device cuda: no GPU is seen here; use --device cpu")


def dtype_of(precision: str) -> "torch.dtype":
    """torch's number format of a precision."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def resolve_precision(asked: str, device: str = "cpu") -> Precision:
    """The precision to load networks in: `asked`, or what pays on this device for "auto".

    On a CPU bf16 where it has the instructions, else fp32; on a GPU bf16 or, where it has
    no bf16, fp16.

    Raises:
      UsageError: an unknown name, or one that this device cannot run at a useful speed.
    """
    if asked not in (*PRECISIONS, "auto"):
        raise UsageError(f"--precision {asked}: known are auto, {', '.join(PRECISIONS)}")
    on_cpu = device == "cpu"
    if asked == "auto":
        if on_cpu:
            return "bf16" if cpu_has_bf16() else "fp32"
        return "bf16" if _gpu_has_bf16() else "fp16"
    if on_cpu and asked == "fp16":
        raise UsageError("--precision fp16: a CPU has no fp16 arithmetic; use fp32 or bf16")
    if on_cpu and asked == "bf16" and not cpu_has_bf16():
        raise UsageError("--precision bf16: this CPU has no bf16 instructions; use fp32 or auto")
    return cast(Precision, asked)


def _gpu_has_bf16() -> bool:
    import torch

    return bool(torch.cuda.is_bf16_supported())
