"""`instruct-imagen weights convert-nima FILE`: published weights in the form we load."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from instruct_imagen_data import command_line
from instruct_imagen_data.annotators.keras import read_mobilenet
from instruct_imagen_data.annotators.weights import sha256_of
from instruct_imagen_data.errors import UsageError

_CONVERT = "convert-nima"


@dataclasses.dataclass(frozen=True)
class Options:
    """Converts the Keras HDF5 file of a MobileNet NIMA to safetensors with timm's names.

    Attributes:
        file: The HDF5 file, as published by idealo/image-quality-assessment.
        output: File to write; else the same name with .safetensors.
    """

    file: str
    output: str = ""


def convert(options: Options) -> int:
    """Writes the converted file, and prints what a model set needs to know of it."""
    from safetensors.numpy import save_file

    source = Path(options.file)
    if not source.is_file():
        raise UsageError(f"no such file: {source}")
    target = Path(options.output) if options.output else source.with_suffix(".safetensors")
    if target.exists():
        raise UsageError(f"{target} exists: name another --output")
    save_file(read_mobilenet(source), target)
    print(f'weights = "{target}"\nsha256 = "{sha256_of(target)}"')
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    action, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if action != _CONVERT:
        print(f"usage: instruct-imagen weights {_CONVERT} FILE [--output FILE]", file=sys.stderr)
        return 0 if action in ("-h", "--help") else 2
    return command_line.run(f"weights {_CONVERT}", Options, convert, rest, positional=["file"])
