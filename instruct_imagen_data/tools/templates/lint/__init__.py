"""`instruct-imagen templates lint`: template files, checked rule by rule."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from instruct_imagen_data import command_line, tasks, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates.lint import meaning, pairs, rules, table, variety
from instruct_imagen_data.tools.templates.lint.findings import Finding
from instruct_imagen_data.tools.templates.lint.read import Read, read


@dataclasses.dataclass(frozen=True)
class Options:
    """Checks template files.

    Prints FILE: ID: RULE: message for each finding, then a table: words of a template
    (least/median/most), entropy of first words and first verbs, self-BLEU. Files given together are
    compared with each other. Exit code: 0 where nothing was found, 1 where something was, 2 for
    wrong use.

    Attributes:
        files: Template files, named DATASET.toml; the shipped ones if none is given.
        models: Model set whose text encoder compares meanings, too: paper, or a TOML file.
    """

    files: tuple[str, ...] = ()
    models: str = ""


def lint(files: Sequence[Read]) -> Iterator[Finding]:
    """Findings about each file, about each template alone, about pairs, about a file's variety."""
    for file in files:
        yield from file.findings
        yield from rules.findings(file)
        yield from variety.findings(file)
    yield from pairs.findings(files)


def execute(options: Options) -> int:
    """Prints findings and table; the exit code."""
    named = options.files or tuple(str(templates.path_of(name)) for name in tasks.DATASETS)
    if len(set(named)) < len(named):
        raise UsageError("a file is given twice")
    files = [read(Path(name), name) for name in named]
    found = list(lint(files))
    told = []
    if options.models:
        by_meaning = _compare(files, options.models)
        found += by_meaning.findings
        told.append(str(by_meaning))
    print("\n".join([*table.lines(files, found), *told]))
    return 1 if found else 0


def _compare(files: Sequence[Read], models: str) -> meaning.Meaning:
    from instruct_imagen_data.annotators.model_set import load_role, load_set

    return meaning.compare(files, load_role(load_set(models), "image_text").texts)


def main(argv: Sequence[str]) -> int:
    """Runs the subcommand; its exit code."""
    return command_line.run("templates lint", Options, execute, argv, positional=("files",))
