"""`instruct-imagen generate`: pictures for instructions, as PNG files that hold their recipe."""

import dataclasses
import functools
import hashlib
import io
import json
import sys
from collections.abc import Sequence

from PIL import Image, PngImagePlugin
from tqdm import tqdm

import instruct_imagen_data
from instruct_imagen_data import command_line, images, instructions, storage
from instruct_imagen_data.errors import UsageError
from model import asked as asking
from model import sampling, trained
from model.asked import Asked, Given
from model.batches import pictures
from model.batches.pictures import Frame
from model.batches.records import Pixels
from model.sampling import Prompt, Sampling
from model.trained import Trained
from model.upscaler import Upscaler

RECIPE = "instruct-imagen"  # the text chunk of a PNG that says how it was made
_CENTRE = Frame(0.5, False)
# How maps are resized, as in training; a text that names one says what the picture is.
_ROLES = {"depth map": "depth", "object mask": "mask", "edge image": "edge", "sketch": "sketch"}


@dataclasses.dataclass(frozen=True)
class Options:
    """Draws pictures that an instruction asks for.

    How they are drawn is the model's own, where the flags from --method on do not say otherwise.

    Attributes:
        model: Run directory of `train`, or a folder of its network.
        output: PNG file to write; with --instructions, the folder for the pictures.
        instruction: What to draw; [ref#1] cites the first reference.
        ref: A reference as NUMBER=PICTURE;WHAT IT IS, such as '1=style.png;watercolour'; again for
            each picture, also for several under one marker.
        instructions: JSON or TOML file with a list `pictures`, instead of --instruction.
        seed: Another one gives another picture.
        upscaler: Folder of a diffusers pipeline that enlarges the pictures.
        method: ddpm, ddim or dpm.
        steps: How often the network is asked.
        guidance: none, joint, nested or oscillating.
        scale: Of the guidance.
        context_scale: Of nested guidance, for the references.
        threshold: dynamic, clip or none.
    """

    model: str
    output: str
    instruction: str = ""
    ref: tuple[str, ...] = ()
    instructions: str = ""
    seed: int = 0
    upscaler: str = ""
    method: str | None = None
    steps: int | None = None
    guidance: str | None = None
    scale: float | None = None
    context_scale: float | None = None
    threshold: str | None = None


def wanted(options: Options) -> list[tuple[str, Asked]]:
    """(file to write, what is asked for) of each picture.

    Raises:
      UsageError: no instruction or two kinds of them, or one that cannot be followed.
    """
    if bool(options.instruction) == bool(options.instructions):
        raise UsageError("give either --instruction or a file of --instructions")
    if options.instruction:
        if not options.output.endswith(".png"):
            raise UsageError(f"--output {options.output}: the name of a file, ending in .png")
        references = [asking.reference(one) for one in options.ref]
        return [(options.output, asking.checked(options.instruction, references))]
    if options.ref:
        raise UsageError("--ref belongs to --instruction: a file has references of its own")
    found = asking.read(options.instructions)
    digits = max(3, len(str(len(found) - 1)))
    named = [(one.output or f"{number:0{digits}d}.png", one) for number, one in enumerate(found)]
    return [(storage.join(options.output, name), one) for name, one in named]


def settings(own: Sampling, options: Options) -> Sampling:
    """How the pictures are drawn: as the model has it, but for what flags say."""
    names = [field.name for field in dataclasses.fields(Sampling)]
    given = {name: getattr(options, name) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    kind = changes.get("guidance", own.guidance)
    if kind != own.guidance:
        # A scale for oscillating guidance says nothing of how nested guidance is scaled.
        needed = {"none": (), "nested": ("scale", "context_scale")}.get(kind, ("scale",))
        if missing := [name for name in needed if name not in changes]:
            raise UsageError(
                f"--guidance {kind}: say {command_line.flag(missing[0])} as well; the model's own "
                f"is for {own.guidance} guidance"
            )
        changes.setdefault("context_scale", 0.0)
    return dataclasses.replace(own, **changes)


def opened(reference: Given) -> bytes:
    """The bytes of a reference. Raises UsageError where they are no picture."""
    try:
        data = storage.read_bytes(reference.image)
        images.read(data, images.STORED)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError(f"[ref#{reference.marker}]: no file {reference.image}") from error
    except images.DecodeError as error:
        raise UsageError(f"[ref#{reference.marker}]: {reference.image}: {error}") from error
    return data


def prompt_of(one: Asked, data: Sequence[bytes], index: int, side: int) -> Prompt:
    """What the network is told: references as the square in their middle, at its size."""
    shown = tuple(
        pictures.shown(
            # Upright, sRGB and without transparency, as the pictures of a corpus are stored.
            images.read(found, images.STORED).encoded,
            side,
            _CENTRE,
            _ROLES.get(given.text.lower(), ""),
        )
        for given, found in zip(one.references, data, strict=True)
    )
    texts = tuple(instructions.beside(given.marker, given.text) for given in one.references)
    return Prompt(index, one.instruction, shown, texts)


def recipe(
    one: Asked, data: Sequence[bytes], index: int, model: Trained, how: Sampling, options: Options
) -> str:
    """All that a picture was made of, as JSON."""
    references = [
        {**dataclasses.asdict(given), "sha256": hashlib.sha256(found).hexdigest()}
        for given, found in zip(one.references, data, strict=True)
    ]
    told = {
        "instruction": one.instruction,
        "references": references,
        "seed": options.seed if one.seed is None else one.seed,
        "index": index,
        "sampling": dataclasses.asdict(how),
        "model": model.folder,
        "side": model.side,
        "upscaler": options.upscaler,
        "version": instruct_imagen_data.__version__,
    }
    return json.dumps(told, ensure_ascii=False)


def png(picture: Pixels, told: str) -> bytes:
    """A picture as a PNG file that holds its recipe."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(RECIPE, told)
    sink = io.BytesIO()
    Image.fromarray(picture).save(sink, "PNG", pnginfo=chunks)
    return sink.getvalue()


def execute(options: Options) -> int:
    """Draws and writes the pictures, one at a time, so that each is the same in any company."""
    todo = wanted(options)
    found = [[opened(given) for given in one.references] for _, one in todo]
    model = trained.load(options.model)
    how = settings(model.sampling, options)
    sampling.scheduler_of(model.around.scheduler, how)  # wrong settings are told before the work
    upscaler = Upscaler.load(options.upscaler) if options.upscaler else None
    with tqdm(total=len(todo) * how.steps, unit="step", disable=not sys.stderr.isatty()) as bar:
        for index, ((place, one), data) in enumerate(zip(todo, found, strict=True)):
            prompt = prompt_of(one, data, index, model.side)
            seed = options.seed if one.seed is None else one.seed
            tick = functools.partial(bar.update, 1)
            (picture,) = sampling.draw(
                model.unet, model.around, [prompt], how, seed=seed, tick=tick
            )
            if upscaler is not None:
                picture = upscaler(picture, one.instruction, seed)
            told = recipe(one, data, index, model, how, options)
            try:
                storage.write_bytes(place, png(picture, told))
            except OSError as error:
                raise UsageError(f"--output {place} cannot be written: {error}") from error
    print(f"{len(todo)} picture{'s' * (len(todo) != 1)}: {options.output}")
    return 0


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("generate", Options, execute, argv)
