"""What the linter prints: findings, then a line of measures for each file."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from instruct_imagen_data.tools.templates.lint.findings import Finding
from instruct_imagen_data.tools.templates.lint.read import Read
from instruct_imagen_data.tools.templates.lint.variety import measure

_COLUMNS = ("file", "templates", "words", "first words", "first verbs", "self-BLEU", "findings")


def lines(files: Sequence[Read], found: Sequence[Finding]) -> Iterator[str]:
    """Findings in the order of the files, the table, and how many templates are clean."""
    order = {file.file: at for at, file in enumerate(files)}
    yield from map(str, sorted(found, key=lambda one: (order[one.file], one.id)))
    if found:
        yield ""
    rows = [_COLUMNS, *(_row(file, found) for file in files)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *values in rows:
        told = [value.rjust(width) for value, width in zip(values, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *told])
    count = sum(len(file.templates) for file in files)
    faulty = {(one.file, one.id) for one in found if one.id}
    clean = sum((file.file, one.id) not in faulty for file in files for one in file.templates)
    yield ""
    yield f"{clean:,} of {count:,} templates lint clean; findings: {len(found)}"


def _row(file: Read, found: Sequence[Finding]) -> tuple[str, ...]:
    findings = Counter(one.file for one in found)[file.file]
    name, count = Path(file.file).name, str(len(file.templates))
    if not file.templates:
        return (name, count, "-", "-", "-", "-", str(findings))
    told = measure([one.text for one in file.templates])
    return (
        name,
        count,
        f"{told.shortest}/{told.median:g}/{told.longest}",
        f"{told.first_words:.2f} bits",
        f"{told.first_verbs:.2f} bits",
        f"{told.self_bleu:.2f}",
        str(findings),
    )
