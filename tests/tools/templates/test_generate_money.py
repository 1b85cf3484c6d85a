"""What a run may cost: never beyond the cap, never twice, also when it is killed on the way."""

import dataclasses
import json
import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.chat_server import GONE, SLOW, Server, serving
from helpers.template_writer import KEY, usual

from instruct_imagen_data.annotators.chat import Prices
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import Draft
from instruct_imagen_data.tools.templates.generate import main
from instruct_imagen_data.tools.templates.generate.answers import (
    Answers,
    CapReached,
    Question,
    alone,
)
from instruct_imagen_data.tools.templates.generate.reply import Completion, Tokens

READ, WRITTEN = 2.0, 10.0  # US dollars a million tokens
QUESTION = Question("ab" * 32, "writer-1", 1.0, 7)


def dear(asked: dict[str, Any]) -> dict[str, Any]:
    """An answer that takes all that it may: a token a byte, and as many written as allowed."""
    read = sum(len(message["content"].encode()) for message in asked["messages"])
    read += len(json.dumps(asked["response_format"]))
    usage = {"prompt_tokens": read, "completion_tokens": asked["max_completion_tokens"]}
    return {**usual(asked), "usage": usage}


def cost(usage: dict[str, int]) -> float:
    return (usage["prompt_tokens"] * READ + usage["completion_tokens"] * WRITTEN) / 1e6


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(dear) as there:
        yield there


def arguments(server: Server, folder: Path, count: int, max_cost: float) -> list[str]:
    return [
        "--dataset", "natural", "--model", "writer-1", "--count", str(count), "--base-url",
        server.url, "--max-cost", str(max_cost), "--price-input", str(READ), "--price-output",
        str(WRITTEN), "--output", str(folder), "--templates", str(folder),
    ]  # fmt: skip


def run(server: Server, folder: Path, count: int, max_cost: float) -> int:
    return main(arguments(server, folder, count, max_cost), wait=lambda seconds: None)


def timeless(folder: Path) -> list[Draft]:
    return [dataclasses.replace(one, created="") for one in drafts.read("natural", str(folder))]


@pytest.mark.parametrize("max_cost", [0, 0.04, 0.0999, 0.1, 0.15, 0.2])
def test_the_cap_is_never_passed(server, tmp_path, capsys, max_cost: float) -> None:
    assert run(server, tmp_path, 100, max_cost) == 2
    spent = sum(cost(dear(asked)["usage"]) for asked in server.seen)
    assert spent <= max_cost
    most = 0.055  # no request can cost more: 4000 tokens written, 7000 read
    assert spent > max_cost - most
    captured = capsys.readouterr()
    assert f"{spent:.4f} of {max_cost:g} US dollars are spent" in captured.err
    assert "a higher --max-cost goes on from there" in captured.err
    assert f"{10 * len(server.seen)} of 100 drafts" in captured.out
    asked = len(server.seen)
    assert run(server, tmp_path, 100, max_cost) == 2
    assert len(server.seen) == asked
    assert run(server, tmp_path, 100, 5) == 0
    assert len(server.seen) == 10  # nothing was paid for twice
    assert len(drafts.read("natural", str(tmp_path))) == 100


def test_what_may_have_been_billed_counts(server, tmp_path) -> None:
    """Requests without an answer count at their most: a broken line cannot eat the purse."""
    server.usual = lambda asked: GONE
    assert run(server, tmp_path, 100, 0.1) == 2
    assert len(server.seen) == 2


def test_the_cap_is_of_one_model_and_dataset(tmp_path) -> None:
    path, prices = tmp_path / "natural.jsonl", Prices(READ, WRITTEN)
    answers = Answers(path, "writer-1", prices, 1.0)
    answers.reserve(QUESTION, Tokens(0, 90_000))
    answers.keep(QUESTION, Completion("x"), Tokens(0, 90_000))
    with pytest.raises(CapReached, match=r"0\.9000 of 1 .* could take 0\.2000"):
        answers.reserve(QUESTION, Tokens(0, 20_000))
    answers.reserve(QUESTION, Tokens(0, 10_000))  # exactly all
    other = Answers(path, "writer-2", prices, 1.0)
    assert other.spent == Tokens()
    again = Answers(path, "writer-1", prices, 2.0)
    assert again.spent == Tokens(0, 100_000)  # the one whose end is not there at its most
    assert again.unknown == 1
    again.reserve(QUESTION, Tokens(5, 5))
    again.fail(QUESTION, Tokens())
    assert again.spent == Tokens(0, 100_000)


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(server, tmp_path, root) -> None:
    arrived: queue.Queue[int] = queue.Queue()

    def stuck(asked: dict[str, Any]) -> Any:
        arrived.put(len(server.seen))
        return SLOW if len(server.seen) == 3 else dear(asked)

    server.usual = stuck
    killed = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys; from instruct_imagen_data.tools.templates.generate import main;"
            "main(sys.argv[1:])",
            *arguments(server, tmp_path / "killed", 50, 5),
        ],
        cwd=root,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    for _ in range(3):
        arrived.get(timeout=120)
    killed.kill()
    killed.communicate()
    assert len(drafts.read("natural", str(tmp_path / "killed"))) == 20
    server.usual = dear
    server.released.set()
    assert run(server, tmp_path / "killed", 50, 5) == 0
    assert len(server.seen) == 6  # five, and the one that was under way
    seeds = [asked["seed"] for asked in server.seen]
    assert seeds[2] == seeds[3]
    assert len(set(seeds)) == 5
    path = tmp_path / "killed" / ".answers" / "natural.jsonl"
    answers = Answers(path, "writer-1", Prices(READ, WRITTEN))
    assert answers.unknown == 1
    billed = sum(cost(dear(asked)["usage"]) for asked in server.seen)
    assert billed <= (answers.cost(answers.spent) or 0) < billed + 0.01
    assert run(server, tmp_path / "whole", 50, 5) == 0
    assert timeless(tmp_path / "killed") == timeless(tmp_path / "whole")


def test_a_run_killed_while_it_wrote_drafts_writes_the_rest(server, tmp_path) -> None:
    assert run(server, tmp_path, 20, 5) == 0
    path = drafts.path_of("natural", str(tmp_path))
    whole = path.read_bytes().splitlines(keepends=True)
    texts = [one.text for one in drafts.read("natural", str(tmp_path))]
    path.write_bytes(b"".join(whole[:13]) + whole[13][:40])
    assert run(server, tmp_path, 20, 5) == 0
    assert len(server.seen) == 2
    assert [one.text for one in drafts.read("natural", str(tmp_path))] == texts


def test_two_at_once_do_not_pay_twice(server, tmp_path, capsys) -> None:
    with alone(tmp_path, "natural"):
        assert run(server, tmp_path, 10, 5) == 2
    assert "another process writes drafts of natural" in capsys.readouterr().err
    assert server.seen == []
    assert run(server, tmp_path, 10, 5) == 0


def test_a_file_of_something_else_is_refused(tmp_path) -> None:
    (tmp_path / "natural.jsonl").write_text('{"hello": 1}\n')
    with pytest.raises(UsageError, match=r"natural.jsonl: a line is no answer"):
        Answers(tmp_path / "natural.jsonl", "writer-1")


def test_ctrl_c_ends_in_one_line(server, tmp_path, capsys) -> None:
    server.planned = [(429, "", {})]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    assert main(arguments(server, tmp_path, 10, 5), wait=interrupt) == 2
    captured = capsys.readouterr()
    assert "stopped; the same command goes on from there" in captured.err
    assert "0 of 10 drafts" in captured.out
