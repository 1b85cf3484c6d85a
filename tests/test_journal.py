"""Files of JSON lines that only grow."""

from pathlib import Path

import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.journal import Journal


def test_each_reader_gets_each_row_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "made" / "log.jsonl"
    one, other = Journal(path), Journal(path)
    assert one.news() == other.news() == []
    assert not path.parent.exists()  # a reader makes nothing
    assert one.append([{"n": 1}, {"n": 2}]) == [{"n": 1}, {"n": 2}]
    assert other.append([{"n": "drei\n\u2028\ud800"}]) == [
        {"n": 1}, {"n": 2}, {"n": "drei\n\u2028\ud800"},
    ]  # fmt: skip
    assert one.append([]) == [{"n": "drei\n\u2028\ud800"}]
    assert one.news() == other.news() == []
    assert path.read_bytes().count(b"\n") == 3


def test_half_a_line_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    reader = Journal(path)
    path.write_bytes(b'{"n": 1}\n{"n": 2, "longer": "than what comes in its place"}')
    assert reader.news() == [{"n": 1}]
    assert Journal(path).append([{"n": 3}]) == [{"n": 1}, {"n": 3}]
    assert reader.news() == [{"n": 3}]
    assert path.read_bytes() == b'{"n": 1}\n{"n": 3}\n'


@pytest.mark.parametrize("line", ["[1]", "3", "", "{", "\xff"])
def test_a_line_of_something_else_is_shown(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f'{{"n": 1}}\n{line}\n', encoding="latin-1")
    with pytest.raises(UsageError, match=r"log.jsonl: no JSON object in the line"):
        Journal(path).news()
