"""The house's one-way streets: what each room may import (the table in CONTRIBUTING)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("instruct_imagen_data", "pipelines", "model")
TORCH = {"torch", "torchvision", "timm", "open_clip", "controlnet_aux", "diffusers", "transformers"}
CONTRACT = {
    "errors", "schema", "keys", "images", "instructions", "tasks", "storage", "encoding", "shards",
    "index", "licences", "mixture", "runs", "templates", "vectors", "cell", "sources", "journal",
}  # fmt: skip


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(dotted name, at module level) of each import of a file."""
    tree = ast.parse(path.read_text())
    top = set(map(id, ast.walk(ast.Module([n for n in tree.body if not _defines(n)], []))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in top


def _defines(node: ast.stmt) -> bool:
    typing_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    return typing_only or isinstance(node, ast.FunctionDef | ast.ClassDef)


def room(dotted: str) -> str:
    """The room that a module of ours is in: "contract", "stages", "pipelines" ..."""
    head, _, rest = dotted.partition(".")
    if head != "instruct_imagen_data":
        return head
    first = rest.split(".")[0]
    return "contract" if first in CONTRACT or not rest else first


# Room -> other rooms it may import. Each may import itself, but where FILES_APART says otherwise.
MAY_IMPORT = {
    "contract": set(),
    "agreement": set(),
    "annotators": {"contract", "agreement"},
    "planted": {"contract"},
    "stages": {"contract", "agreement", "annotators"},
    "command_line": {"contract"},
    "tools": {"contract", "annotators", "planted", "command_line"},
    "training": {"contract", "agreement", "annotators", "planted", "command_line"},
    "cli": {"contract", "pipelines", "model"},
    "card": {"contract"},
    "pipelines": {"contract", "annotators", "stages", "command_line", "card"},
    "model": {"contract", "command_line"},
}
# What judges a trained network's pictures are the networks that judged its examples; nothing that
# trains or draws knows them.
FILES_MAY_IMPORT = {"model.evaluate.checks": {"annotators", "agreement"}}
BEAM_IN = {"stages", "pipelines"}
TORCH_AT_TOP_IN = {"training", "model"}
# Stages share the primitives of blocks and runs, jobs share `job`; else files are apart.
SHARED_FILES = {
    "stages": {
        "blocks",
        "annotate",
        "captions",
        "carried",
        "derived",
        "formats",
        "kept",
        "opened",
        "pairs",
        "pictures",
        "runs",
        "phase",
    },
    "pipelines": {"against", "derivation", "job", "restyled", "outputs", "runners", "progress"},
}
# Jobs whose business is other jobs.
COMPOSES = {
    "finish": {"corpus"},
    "derive": {
        "natural",
        "art",
        "control",
        "sketch",
        "subject",
        "face",
        "styled",
        "style_transfer",
    },
}


def files() -> list[Path]:
    return sorted(path for name in OURS for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    here = room(dotted)
    for name, top in imports(path):
        head = name.split(".")[0]
        if head == "apache_beam":
            assert here in BEAM_IN, f"{dotted} imports Beam"
        if head in TORCH:
            assert here in TORCH_AT_TOP_IN or not top, f"{dotted} imports {head} at the top"
            assert here in TORCH_AT_TOP_IN | {"annotators", "stages", "tools"}, dotted
        if head in OURS and not name.endswith(".__version__") and room(name) != here:
            allowed = MAY_IMPORT[here] | FILES_MAY_IMPORT.get(dotted, set())
            assert room(name) in allowed, f"{dotted} ({here}) imports {name}"


@pytest.mark.parametrize("where", ["stages", "pipelines"])
def test_stages_and_jobs_do_not_import_each_other(where: str) -> None:
    folder = ROOT / ("instruct_imagen_data/stages" if where == "stages" else "pipelines")
    prefix = "instruct_imagen_data.stages." if where == "stages" else "pipelines."
    for path in folder.glob("*.py"):
        for name, _ in imports(path):
            if name.startswith(prefix):
                other = name.removeprefix(prefix).split(".")[0]
                allowed = SHARED_FILES[where] | {path.stem}
                if where == "pipelines":
                    allowed |= COMPOSES.get(path.stem, set())
                assert other in allowed, f"{path.name} imports {other}"


def test_functions_are_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert not long


def test_files_are_short() -> None:
    assert not [str(path) for path in files() if len(path.read_text().splitlines()) > 300]
