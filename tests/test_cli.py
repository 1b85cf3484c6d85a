"""The console script: verbs, help, and what it says of a verb it does not know."""

import importlib
import subprocess
import sys

import pytest

from instruct_imagen_data import __version__, cli


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_tells_of_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, _ = cli.VERBS[verb]
    assert callable(importlib.import_module(module).main)
    try:
        code = cli.main([verb, "--help"])
    except SystemExit as end:  # argparse ends the process after its help
        code = end.code if isinstance(end.code, int) else 1
    assert code == 0
    assert f"instruct-imagen {verb}" in "".join(capsys.readouterr())


def test_no_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert cli.main(["--help"]) == 0
    assert capsys.readouterr().out.count("verbs:") == 2
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("verb", "hint"), [("corpsu", "did you mean corpus?"), ("xyzzy", "known are plant, corpus")]
)
def test_unknown_verb(verb: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"instruct-imagen: unknown verb {verb!r}: {hint}")
    assert error.count("\n") == 1


def test_light_verbs_stay_light() -> None:
    """`--version` and an unknown verb load neither Beam nor torch."""
    code = (
        "import sys; from instruct_imagen_data import cli; cli.main(['--version']);"
        "print(sorted({'apache_beam', 'torch', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_each_subcommand_of_templates_has_a_main() -> None:
    from instruct_imagen_data.tools import templates

    for module, _ in templates.SUBCOMMANDS.values():
        assert callable(importlib.import_module(module).main)
