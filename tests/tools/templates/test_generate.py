"""`templates generate`, run as a person does, against a local server that behaves like the API."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.chat_server import FALLEN, GONE, Server, good, serving
from helpers.template_writer import KEY, said, usual, written

from instruct_imagen_data.annotators.chat import Prices
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.drafts import Draft
from instruct_imagen_data.tools.templates.generate import DEAREST, Options, main, prices_of
from instruct_imagen_data.tools.templates.generate.personas import PERSONAS

FILE = """
task = "text_to_image"
[provenance]
generator = "a hand"
reviewed_by = "another"
reviewer_kind = "person"
reviewed_on = "2026-11-25"
[[template]]
id = "wikiart/001"
text = "Paint this canvas for the great hall: {caption}"
"""
Command = Callable[..., int]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(usual) as there:
        yield there


@pytest.fixture
def command(server: Server, tmp_path: Path) -> Command:
    """command(count=20): runs the subcommand with tmp_path's folders and those options."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "wikiart.toml").write_text(FILE)
    usual_options: dict[str, Any] = {
        "dataset": "wikiart", "model": "writer-1", "base-url": server.url, "max-cost": 5,
        "price-input": 2, "price-output": 10, "output": tmp_path / "drafts",
        "templates": tmp_path / "templates",
    }  # fmt: skip

    def run(waits: list[float] | None = None, **other: Any) -> int:
        given = usual_options | {name.replace("_", "-"): value for name, value in other.items()}
        pairs = [(f"--{name}", str(value)) for name, value in given.items() if value is not None]
        note = ([] if waits is None else waits).append
        return main([word for pair in pairs for word in pair], wait=note)

    return run


def drafted(tmp_path: Path) -> list[Draft]:
    return drafts.read("wikiart", str(tmp_path / "drafts"))


def timeless(found: list[Draft]) -> list[Draft]:
    return [dataclasses.replace(draft, created="") for draft in found]


def test_drafts_say_where_they_come_from(server, command, tmp_path, capsys) -> None:
    assert command(count=25, temperature=1.25) == 0
    found = drafted(tmp_path)
    assert len(found) == 25
    asked = server.seen
    assert len(asked) == 3  # ten templates an answer, and five that are not wanted
    assert [draft.text for draft in found] == [
        text for one in asked for text in written(one["seed"])
    ][:25]
    assert len({one["seed"] for one in asked}) == 3
    for number, draft in enumerate(found):
        one = asked[number // 10]
        told = json.dumps(one["messages"]).encode()
        assert draft.prompt_sha256 == hashlib.sha256(told).hexdigest()
        assert (draft.seed, draft.temperature) == (one["seed"], one["temperature"]) == (
            one["seed"], 1.25,
        )  # fmt: skip
        assert draft.generator == one["model"] == "writer-1"
        assert draft.persona == PERSONAS[number // 10].name
        assert PERSONAS[number // 10].voice in one["messages"][1]["content"]
        assert one["response_format"]["json_schema"]["strict"] is True
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2
    assert "about 4 requests to writer-1" in out[0]
    assert "--max-cost 5 ends it" in out[0]
    # 3 answers of 1000 and 10 tokens: 3 x (1000 x 2 + 10 x 10) dollars a million tokens
    assert "3,000 tokens read and 30 written: 0.0063 US dollars" in out[1]
    assert f"25 of 25 drafts (25 new) in {tmp_path / 'drafts' / 'wikiart.jsonl'}" in out[1]
    assert out[1].endswith("next: instruct-imagen templates review")


def test_the_same_command_again_asks_nothing(server, command, tmp_path, capsys) -> None:
    command(count=25)
    before = (tmp_path / "drafts" / "wikiart.jsonl").read_bytes()
    server.planned = [(500, "it should not be asked")] * 9
    capsys.readouterr()
    assert command(count=25) == 0
    assert len(server.seen) == 3
    assert (tmp_path / "drafts" / "wikiart.jsonl").read_bytes() == before
    out = capsys.readouterr().out
    assert "25 of 25 drafts (0 new)" in out
    assert "0 requests, 3 answers that were kept" in out
    assert "0.0000 US dollars, 0.0063 with runs before" in out
    assert "about" not in out  # there is nothing to estimate


def test_more_go_on_where_fewer_ended(server, command, tmp_path) -> None:
    for count in (1, 9, 14, 33):
        assert command(count=count) == 0
        assert len(drafted(tmp_path)) == count
    assert len(server.seen) == 4
    assert command(count=33, output=tmp_path / "at once") == 0
    at_once = drafts.read("wikiart", str(tmp_path / "at once"))
    assert timeless(at_once) == timeless(drafted(tmp_path))


def test_another_seed_temperature_or_model_is_another_question(server, command, tmp_path) -> None:
    server.usual = lambda asked: said(written(len(server.seen)))
    for other in ({}, {"seed": 1}, {"temperature": 0.5}, {"model": "writer-2"}):
        assert command(count=10, **other) == 0
    assert len(server.seen) == 4
    assert len(drafted(tmp_path)) == 40
    assert {draft.generator for draft in drafted(tmp_path)} == {"writer-1", "writer-2"}


def test_what_is_unfit_or_there_already_is_refused_by_reason(
    server, command, tmp_path, capsys
) -> None:
    first, second = written(1, 2)
    server.planned = [
        said([
            first, first, f"  {second}\n", second.upper().replace("{CAPTION}", "{caption}"),
            "Paint this canvas for the great hall: {caption}",  # of the file
            "Paint that canvas for the great hall: {caption}", "No slot", "Too much: {ref#1}",
            "Twice: {caption} and {caption}", "A brace: {caption} }", "Say [ref#1]: {caption}",
            "Bell \x07: {caption}", "Long " + "zo" * 500 + ": {caption}", "",
        ])
    ]  # fmt: skip
    assert command(count=3) == 0
    assert [draft.text for draft in drafted(tmp_path)] == [
        first, second, written(server.seen[1]["seed"])[0],
    ]  # fmt: skip
    # slots: No slot, Too much, A brace, [ref#1] and ''
    reasons = "slots 5, duplicate 3, near_duplicate 1, caption 1, characters 1, long 1"
    assert f"refused 12 ({reasons})" in capsys.readouterr().out
    assert command(count=3) == 0
    assert f"3 of 3 drafts (0 new) in {tmp_path}" in (out := capsys.readouterr().out)
    assert f"refused 12 ({reasons})" in out


def test_drafts_of_others_are_not_written_again(server, command, tmp_path, capsys) -> None:
    server.usual = lambda asked: said(written(1))
    assert command(count=10) == 0
    server.usual = lambda asked: said(written(1) + written(asked["seed"], 2))
    assert command(count=4, seed=1) == 0
    assert "refused 20 (duplicate 20)" in capsys.readouterr().out
    assert len(drafted(tmp_path)) == 14


def test_a_model_that_repeats_itself_is_left(server, command, tmp_path, capsys) -> None:
    server.usual = lambda asked: said(written(1))
    assert command(count=30) == 2
    captured = capsys.readouterr()
    assert "10 of 30 drafts: 4 rounds in a row brought no new one" in captured.err
    assert "refused 40 (duplicate 40)" in captured.out
    assert len(server.seen) == 5
    assert command(count=30) == 2
    assert len(server.seen) == 5
    assert command(count=10) == 0
    assert len(drafted(tmp_path)) == 10


def test_malformed_answers_are_asked_for_again_and_counted(
    server, command, tmp_path, capsys
) -> None:
    server.planned = [
        good("Here you are: a template!"),
        good('{"templates": ["Paint {capt'),
        said([{"text": "Paint: {caption}"}]),  # three: the round is over
        good('{"texts": []}'),
        good(""),
        said([]),
        good(None, message={"refusal": "I cannot"}),
        good("", finish_reason="content_filter"),
        good(json.dumps({"templates": ["Paint: {caption}"]}), finish_reason="length"),
        good(None),
    ]
    assert command(count=10) == 0
    assert len(server.seen) == 11
    assert len({one["seed"] for one in server.seen}) == 11
    told = "malformed answers 10 (not of the schema 3, no JSON 2, empty 2, refused 2, cut short 1)"
    assert told in capsys.readouterr().out
    assert command(count=10) == 0
    assert len(server.seen) == 11  # they are kept like all answers
    assert told in capsys.readouterr().out
    server.usual = lambda asked: good("no")
    assert command(count=10, seed=1) == 2
    assert "0 of 10 drafts" in capsys.readouterr().err
    assert len(server.seen) == 11 + 12


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ((401, {"error": {"message": f"Incorrect API key: {KEY}"}}), "refuses the key in $OPENAI"),
        ((401, {"error": {"message": "key sk-very*****6789 is bad"}}), "refuses the key in $OPE"),
        ((403, {"error": {"message": f"not for {KEY}"}}), "refuses the request: Error code: 403"),
        ((404, {"error": {"message": f"no model; Bearer {KEY}"}}), "no such model"),
        ((400, {"error": {"message": f"what is {KEY}?"}}), "what is ***?"),
        ((429, {"error": {"message": KEY, "code": "insufficient_quota"}}), "refuses the request"),
        ((429, {"error": {"message": KEY}}, {"retry-after": "9999"}), "wants 9999 seconds"),
        ((302, "", {"location": "http://127.0.0.1:1/"}), "no answer from"),
    ],
)
def test_errors_are_one_line_without_the_key(server, command, tmp_path, capfd, reply, told) -> None:
    server.usual = lambda asked: reply
    assert command(count=5) == 2
    captured = capfd.readouterr()
    assert told in captured.err
    assert captured.err.splitlines()[-1].startswith("instruct-imagen templates generate: ")
    assert "Traceback" not in captured.err
    assert set(server.keys) == {f"Bearer {KEY}"}
    held = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for text in (captured.out, captured.err, held):
        assert "sk-very" not in text
    assert "0 of 5 drafts" in captured.out


def test_one_fault_after_another_ends_well(server, command, tmp_path, capsys) -> None:
    waits: list[float] = []
    server.planned = [FALLEN, GONE, (429, "", {"retry-after": "7"}), "<html>busy</html>"]
    assert command(waits, count=20) == 0
    assert len(drafted(tmp_path)) == 20
    assert len(server.seen) == 6
    assert len(waits) == 4
    assert waits[2] == 7
    # no answer came to the second and the fourth: nobody knows what they took
    assert "2 requests counted at their most" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"dataset": "wikiarts"}, "no dataset wikiarts; known are natural"),
        ({"count": 0}, "--count 0: at least one draft"),
        ({"temperature": 2.5}, "--temperature 2.5 is not between 0 and 2"),
        ({"max_cost": -1}, "-1.0 is no price and no limit"),
        ({"price_input": None}, "one price is missing: give both --price-input and --price-out"),
        ({"base_url": "localhost:80"}, "begins with http:// or https://"),
        ({"modle": "x"}, "unknown flag --modle: did you mean --model?"),
    ],
)
def test_wrong_use_is_one_line(server, command, capsys, other, told) -> None:
    assert command(**other) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert server.seen == []


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_limit_is_a_number(number: float) -> None:
    good_ones = Options("wikiart", "writer-1", max_cost=5, price_input=1, price_output=2)
    assert prices_of(good_ones) == Prices(1, 2)
    for name in ("max_cost", "price_input", "price_output"):
        with pytest.raises(UsageError, match="is no price and no limit"):
            prices_of(dataclasses.replace(good_ones, **{name: number}))


def test_an_unfit_template_file_is_named(server, command, tmp_path, capsys) -> None:
    (tmp_path / "templates" / "wikiart.toml").write_text("task = 1")
    assert command() == 2
    assert 'wikiart.toml: task is not "text_to_image"' in capsys.readouterr().err
    (tmp_path / "templates" / "wikiart.toml").unlink()
    assert command(count=5) == 0  # a dataset may have none yet


def test_without_prices_tokens_are_counted_all_the_same(server, command, capsys) -> None:
    assert command(count=5, max_cost=None, price_input=None, price_output=None) == 0
    out = capsys.readouterr().out
    assert "at a price that is not known" in out
    assert "1,000 tokens read and 10 written: cost not known" in out
    assert command(count=5) == 0  # and priced later
    assert "0.0021 with runs before" in capsys.readouterr().out


def test_a_limit_without_prices_is_kept_at_the_dearest(server, command, capsys) -> None:
    assert command(count=5, max_cost=5, price_input=None, price_output=None) == 0
    captured = capsys.readouterr()
    assert "at the prices of the dearest models: give --price-input" in captured.out + captured.err
    spent = (1_000 * DEAREST.read + 10 * DEAREST.written) / 1e6
    assert f"{spent:.4f} US dollars" in captured.out
