"""`instruct-imagen templates`: the workbench of the template files, a subcommand a task."""

import difflib
import importlib
import sys
from collections.abc import Sequence

SUBCOMMANDS: dict[str, tuple[str, str]] = {
    "lint": ("instruct_imagen_data.tools.templates.lint", "check template files, rule by rule"),
    "generate": ("instruct_imagen_data.tools.templates.generate", "have a model write drafts"),
    "review": ("instruct_imagen_data.tools.templates.review", "read drafts, accept or reject them"),
}
_VERB = "instruct-imagen templates"


def _usage() -> str:
    lines = [f"  {name:<12}{text}" for name, (_, text) in SUBCOMMANDS.items()]
    return "\n".join(
        [
            f"usage: {_VERB} SUBCOMMAND [OPTIONS]",
            "",
            "subcommands:",
            *lines,
            "",
            "SUBCOMMAND --help tells more.",
        ]
    )


def main(argv: Sequence[str]) -> int:
    """Runs a subcommand; its exit code, or 2 where there is no such one."""
    name, rest = (argv[0], list(argv[1:])) if argv else ("", [])
    if name in ("-h", "--help"):
        print(_usage())
        return 0
    if name not in SUBCOMMANDS:
        near = difflib.get_close_matches(name, SUBCOMMANDS, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(SUBCOMMANDS)}"
        what = f"unknown subcommand {name!r}" if name else "no subcommand"
        print(f"{_VERB}: {what}: {hint}", file=sys.stderr)
        return 2
    return int(importlib.import_module(SUBCOMMANDS[name][0]).main(rest))
