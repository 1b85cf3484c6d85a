"""The command line: one verb a job and one a tool. Verbs are imported when they are called."""

import importlib
import sys
from collections.abc import Sequence

VERBS: dict[str, tuple[str, str]] = {
    "plant": ("instruct_imagen_data.tools.plant", "write a small web with known truth"),
    "corpus": ("pipelines.corpus", "web pairs -> measured, scored, embedded corpus"),
    "neighbours": ("pipelines.neighbours", "corpus -> 5-pair neighbourhoods (stage 1)"),
    "natural": ("pipelines.natural", "corpus -> text-to-image examples (stage 2)"),
    "art": ("pipelines.art", "paintings -> text-to-image examples (stage 2)"),
    "control": ("pipelines.control", "corpus -> depth, mask and edge examples (stage 2)"),
    "sketch": ("pipelines.sketch", "photos and drawings -> sketch examples (stage 2)"),
    "subject": ("pipelines.subject", "views of one thing -> subject examples (stage 2)"),
    "face": ("pipelines.face", "pictures of one person -> face examples (stage 2)"),
    "styled": ("pipelines.styled", "styles x captions -> styled examples (stage 2)"),
    "style-transfer": ("pipelines.style_transfer", "styles x contents -> transfers (stage 2)"),
    "derive": ("pipelines.derive", "all examples that the inputs allow (stage 2)"),
    "instruct": ("pipelines.instruct", "examples + templates -> instruction datasets (stage 2)"),
    "export": ("instruct_imagen_data.tools.export", "instruction datasets -> other formats"),
    "diff": ("instruct_imagen_data.tools.diff", "what two builds of datasets differ in"),
    "train": ("model.train", "shards -> a trained network, stage 1 or 2"),
    "generate": ("model.generate", "a trained network and an instruction -> a picture"),
    "evaluate": ("model.evaluate", "pictures of the validation split, scored as examples are"),
    "edits": ("instruct_imagen_data.tools.edits", "MagicBrush -> examples to fine-tune on"),
    "finish": ("pipelines.finish", "write the manifest of a job that nothing waited for"),
    "report": ("instruct_imagen_data.tools.report", "jobs' directories -> one HTML page"),
    "explain": ("instruct_imagen_data.tools.explain", "what became of one picture, and why"),
    "doctor": ("instruct_imagen_data.tools.doctor", "what is missing on this machine"),
    "templates": ("instruct_imagen_data.tools.templates", "check, write and review templates"),
    "weights": ("instruct_imagen_data.tools.weights", "convert published weight files"),
}


def _usage() -> str:
    lines = [f"  {verb:<16}{text}" for verb, (_, text) in VERBS.items()]
    return "\n".join(
        [
            "usage: instruct-imagen VERB [OPTIONS]",
            "",
            "verbs:",
            *lines,
            "",
            "VERB --help tells more.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb; its exit code: 0, 2 for wrong use, 3 for a job with too many rejects."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_usage())
        return 0 if arguments else 2
    verb, rest = arguments[0], arguments[1:]
    if verb == "--version":
        from instruct_imagen_data import __version__

        print(__version__)
        return 0
    if verb not in VERBS:
        import difflib

        near = difflib.get_close_matches(verb, VERBS, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(VERBS)}"
        print(f"instruct-imagen: unknown verb {verb!r}: {hint}", file=sys.stderr)
        return 2
    import pipelines  # noqa: F401  (sets the thread counts before numpy is imported)

    return int(importlib.import_module(VERBS[verb][0]).main(rest))


if __name__ == "__main__":
    sys.exit(main())
