"""Options from a command line: a frozen dataclass is the flags, its docstring the help."""

import dataclasses
import difflib
import re
import sys
import typing
from argparse import ArgumentError
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import docstring_parser
from jsonargparse import ArgumentParser

from instruct_imagen_data.errors import UsageError

Options = TypeVar("Options")


def flag(name: str) -> str:
    """The flag of a field: `min_side` is `--min-side`."""
    return "--" + name.replace("_", "-")


def chosen(name: str, given: str, known: Iterable[str]) -> list[str]:
    """Those of the known names that a flag's text names, with commas between; all if it is empty.

    Raises:
      UsageError: it names another.
    """
    all_of_them = list(known)
    names = [one.strip() for one in given.split(",") if one.strip()]
    for one in names:
        if one not in all_of_them:
            raise UsageError(f"{flag(name)} {one}: known are {', '.join(all_of_them)}")
    return [one for one in all_of_them if not names or one in names]


def _help(options: type) -> tuple[str, dict[str, str]]:
    """(description, field -> help) from docstrings with an `Attributes:` section.

    Fields are in the order in which they are shown: a class's own, then those it inherits, whose
    help it may put anew.
    """
    told: dict[str, str] = {}
    for one in options.__mro__:
        for field in docstring_parser.parse(vars(one).get("__doc__") or "").params:
            told.setdefault(field.arg_name, field.description or "")
    parsed = docstring_parser.parse(options.__doc__ or "")
    lines = [parsed.short_description or "", parsed.long_description or ""]
    return "\n\n".join(filter(None, lines)), told


def parser_of(verb: str, options: type, positional: Iterable[str] = ()) -> ArgumentParser:
    """The parser of a verb; fields named in `positional` are given without a flag."""
    description, texts = _help(options)
    hints = typing.get_type_hints(options)
    parser = ArgumentParser(
        prog=f"instruct-imagen {verb}",
        description=description,
        allow_abbrev=False,
        exit_on_error=False,
    )
    shown = list(texts)
    for field in sorted(dataclasses.fields(options), key=lambda field: shown.index(field.name)):
        needed = field.default is dataclasses.MISSING
        given: dict[str, Any] = {"help": texts[field.name]}
        many = typing.get_origin(hints[field.name]) is tuple
        kind = typing.get_args(hints[field.name])[0] if many else hints[field.name]
        if field.name in positional:
            if many:
                given |= {"nargs": "+"} if needed else {"nargs": "*", "default": []}
            parser.add_argument(field.name, type=kind, **given)
        elif hints[field.name] is bool:
            parser.add_argument(flag(field.name), action="store_true", **given)
        else:
            given |= {"required": True} if needed else {"default": field.default}
            if many:  # several values after one flag, or the flag several times
                given |= {"nargs": "+", "action": "extend"}
                if not needed:
                    given["default"] = list(typing.cast(Any, field.default))
            parser.add_argument(flag(field.name), type=kind, **given)
    return parser


def parse(
    verb: str,
    options: type[Options],
    arguments: Sequence[str],
    positional: Iterable[str] = (),
    other_flags: Iterable[str] = (),
) -> Options:
    """The options a command line gives.

    Args:
      other_flags: Flags that are taken elsewhere, to be offered where one is mistyped.

    Raises:
      UsageError: an unknown flag (naming the nearest), a missing or a malformed value.
    """
    parser = parser_of(verb, options, positional)
    known = [text for action in parser._actions for text in action.option_strings]
    for argument in arguments:
        name = argument.split("=", 1)[0]
        if name.startswith("--") and name not in known:
            near = difflib.get_close_matches(name.replace("_", "-"), [*known, *other_flags], 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"see instruct-imagen {verb} --help"
            raise UsageError(f"unknown flag {name}: {hint}")
    try:
        found = vars(parser.parse_args(list(arguments)))
    except ArgumentError as error:
        stray = re.match(r"unrecognized arguments: (\S+)", str(error))
        if stray:
            raise UsageError(
                f"{stray[1]} is no flag; quote a pattern, so that the shell leaves it: 'web/*.tar'"
            ) from error
        raise UsageError(" ".join(str(error).split())) from error
    names = {field.name for field in dataclasses.fields(typing.cast(Any, options))}
    values = {
        name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
    }
    return options(**{name: value for name, value in values.items() if name in names})


def run(
    verb: str,
    options: type[Options],
    execute: Callable[[Options], int],
    argv: Sequence[str] | None = None,
    positional: Iterable[str] = (),
) -> int:
    """Parses, executes, and turns wrong use into one line on stderr: the main of a tool."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--help" in arguments or "-h" in arguments:
        parser_of(verb, options, positional).print_help()
        return 0
    try:
        return execute(parse(verb, options, arguments, positional))
    except UsageError as error:
        print(f"instruct-imagen {verb}: {error}", file=sys.stderr)
        return error.exit_code
