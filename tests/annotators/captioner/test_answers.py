"""Answers on disk: whole, once, and the same for everyone, whoever writes at the same time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from instruct_imagen_data.annotators.captioner import MALFORMED, NoCaption, caption_of
from instruct_imagen_data.annotators.captioner.answers import Answer, Answers
from instruct_imagen_data.errors import UsageError

WRITER = """
import sys
from pathlib import Path
from instruct_imagen_data.annotators.captioner.answers import Answer, Answers
folder, who = Path(sys.argv[1]), sys.argv[2]
answers = Answers(folder, "m", "p")
print("ready", flush=True)
sys.stdin.readline()
for number in range(60):
    answers.keep(f"key{number}", Answer(f"{who} saw {number}" + "x" * 3000, cost=0.5))
print("|".join(answers.get(f"key{number}").text for number in range(60)))
"""


def test_processes_that_write_at_once_agree(tmp_path: Path, root: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "kept"), who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for who in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [writer.communicate()[0] for writer in writers]
    assert told[0] == told[1]  # also what the slower one had answered itself
    assert [writer.returncode for writer in writers] == [0, 0]
    lines = (tmp_path / "kept" / "answers.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 120
    answers = Answers(tmp_path / "kept", "m", "p")
    assert "|".join(answers.get(f"key{n}").text for n in range(60)) == told[0].strip()
    assert answers.spent == 60
    assert answers.get("key60") is None


def test_what_a_killed_process_left_half_written_is_taken_away(tmp_path: Path) -> None:
    Answers(tmp_path, "m", "p").keep("a", Answer("one"))
    file = tmp_path / "answers.jsonl"
    with file.open("ab") as torn:
        torn.write(b'{"sha256": "b", "mod')
    answers = Answers(tmp_path, "m", "p")
    assert answers.get("b") is None
    answers.keep("c", Answer("two"))
    lines = file.read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one", "two"]
    assert Answers(tmp_path, "m", "p").get("a") == Answer("one")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"hello": 1}\n')
    with pytest.raises(UsageError, match=r"answers.jsonl: no answer in the line '{\"hello\": 1}'"):
        Answers(tmp_path, "m", "p")


def test_a_caption_is_one_line() -> None:
    assert caption_of('  "A cat\n on a  mat." ') == "A cat on a mat."
    assert caption_of("Dogs' toys") == "Dogs' toys"
    assert caption_of(' "" ') == NoCaption(MALFORMED, "an empty text")
    assert caption_of("x" * 1001) == NoCaption(MALFORMED, "1001 characters")
    assert Answer("", "caption_refused", "no").caption() == NoCaption("caption_refused", "no")
