"""Captions by an endpoint, against a local server that misbehaves as real ones do."""

import base64
import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.chat_server import FALLEN, Server, good, serving
from PIL import Image

from instruct_imagen_data.annotators.captioner import MALFORMED, REFUSED, NoCaption
from instruct_imagen_data.annotators.captioner.answers import picture_key
from instruct_imagen_data.annotators.captioner.endpoint import OpenaiCaptioner
from instruct_imagen_data.annotators.model_set import Role, load_role, load_set
from instruct_imagen_data.errors import UsageError


def picture(asked: dict[str, Any]) -> np.ndarray:
    """The picture of a request."""
    (message,) = asked["messages"]
    head, data = message["content"][1]["image_url"]["url"].split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def seen(asked: dict[str, Any]) -> dict[str, Any]:
    return good(f"a picture of brightness {picture(asked).mean():.0f}")


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(seen) as there:
        yield there


@pytest.fixture
def captioner(server: Server, tmp_path: Path, monkeypatch) -> Callable[..., OpenaiCaptioner]:
    """captioner(**config): one that asks the server, and keeps its answers in tmp_path."""
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    config = {
        "base_url": server.url,
        "model": "seer-1",
        "prompt": "What is this?",
        "answers": tmp_path / "answers",
        "max_cost": 1.0,
        "input_price": 2.0,
        "output_price": 10.0,
        "retries": 3,
    }
    return lambda **other: OpenaiCaptioner.load(None, config={**config, **other})


def grey(level: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def test_each_picture_is_asked_about_once_and_never_again(server, captioner) -> None:
    pictures = [grey(10), grey(200), grey(10), grey(90, 1000)]
    expected = [f"a picture of brightness {level}" for level in (10, 200, 10, 90)]
    assert captioner().captions(pictures) == expected
    assert len(server.seen) == 3
    assert {asked["model"] for asked in server.seen} == {"seer-1"}
    assert {asked["messages"][0]["content"][0]["text"] for asked in server.seen} == {
        "What is this?"
    }
    assert max(max(picture(asked).shape) for asked in server.seen) == 768
    assert set(server.keys) == {"Bearer a key"}
    again = captioner(base_url="http://127.0.0.1:9/v1")  # nobody answers there
    assert again.captions(pictures[::-1]) == expected[::-1]
    assert again.captions([]) == []
    assert len(server.seen) == 3


def test_another_model_or_prompt_is_another_question(server, captioner) -> None:
    captioner().captions([grey(1)])
    captioner(model="seer-2").captions([grey(1)])
    captioner(prompt="And this?").captions([grey(1)])
    assert len(server.seen) == 3


def test_rate_limits_and_failures_are_tried_again(server, captioner) -> None:
    server.planned = [(429, {"error": {"message": "slower"}}), FALLEN, (503, "not even JSON")]
    assert captioner().captions([grey(7)]) == ["a picture of brightness 7"]
    assert len(server.seen) == 4


def test_a_timeout_is_tried_again(server, captioner) -> None:
    server.planned = ["slow"]
    found = captioner(timeout=0.3, retries=1).captions([grey(7)])
    assert found == ["a picture of brightness 7"]


def test_what_goes_on_failing_ends_in_one_line_and_keeps_the_rest(server, captioner) -> None:
    server.planned = [FALLEN] * 4
    with pytest.raises(UsageError, match=r"no answer from http://127.* after 3 retries: .*I fell"):
        captioner().captions([grey(7)])
    assert captioner().captions([grey(8)]) == ["a picture of brightness 8"]
    server.planned = ["slow"]
    with pytest.raises(UsageError, match=r"after 0 retries: .*timed out"):
        captioner(timeout=0.2, retries=0).captions([grey(8), grey(9)])
    with pytest.raises(UsageError, match=r"no answer from http://127.0.0.1:9/v1"):
        captioner(base_url="http://127.0.0.1:9/v1", retries=0).captions([grey(8), grey(9)])


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        ('{"choices": [{"mess', 'JSONDecodeError in \'{"choices"'),
        ("", "JSONDecodeError in ''"),
        ({"choices": []}, "IndexError"),
        ([1, 2], "TypeError"),
        ({"choices": [{"message": {"content": "no usage"}}]}, "KeyError"),
        (good(""), "an empty text"),
        (good(None), "an empty text"),
        (good("It shows a", finish_reason="length"), "cut after 200 tokens"),
    ],
)
def test_malformed_answers_are_rejected_with_a_reason(server, captioner, reply, detail) -> None:
    server.planned = [reply] * 3
    (found,) = captioner().captions([grey(7)])
    assert found.reason == MALFORMED
    assert detail in found.detail
    assert len(server.seen) == 3
    assert captioner().captions([grey(7)]) == [found]  # kept like every answer
    assert len(server.seen) == 3
    server.planned = [reply]
    assert captioner().captions([grey(8)]) == ["a picture of brightness 8"]


def test_refusals_are_rejected_with_a_reason(server, captioner) -> None:
    policy = {"message": "not this", "code": "content_policy_violation"}
    server.planned = [
        good(None, message={"refusal": "I cannot"}),
        good("", finish_reason="content_filter"),
        (400, {"error": policy}),
    ]
    asker = captioner()
    found = [asker.captions([grey(level)])[0] for level in (1, 2, 3)]
    assert found[0] == NoCaption(REFUSED, "I cannot")
    assert found[1] == NoCaption(REFUSED, "content_filter")
    assert found[2].reason == REFUSED
    assert found[2].detail.startswith("content_policy_violation: ")
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, r"refuses the key in \$OPENAI_API_KEY"), (400, "refuses the request"), (404, "no ans")],
)
def test_what_is_wrong_for_all_pictures_ends_the_job(server, captioner, status, message) -> None:
    server.planned = [(status, {"error": {"message": "no", "code": "wrong"}})]
    with pytest.raises(UsageError, match=message):
        captioner().captions([grey(7)])
    assert len(server.seen) == 1


def test_no_more_is_spent_than_allowed(server, captioner, tmp_path: Path) -> None:
    """An answer costs 1000 x 2 + 10 x 10 dollars a million tokens: 0.0021."""
    pictures = [grey(level) for level in range(12)]
    with pytest.raises(UsageError, match=r"have cost 0\.0\d US dollars, as much as 'max_cost'"):
        captioner(max_cost=0.0042).captions(pictures)
    asked = len(server.seen)
    assert 2 <= asked <= 2 + 4  # four requests may be under way
    lines = (tmp_path / "answers" / "answers.jsonl").read_text().splitlines()
    assert [json.loads(line)["cost"] for line in lines] == pytest.approx([0.0021] * asked)
    with pytest.raises(UsageError, match="max_cost"):
        captioner(max_cost=0.0042).captions(pictures)
    assert len(server.seen) == asked
    assert None not in captioner(max_cost=1).captions(pictures)
    assert len(server.seen) == 12


def test_free_models_need_not_count_their_tokens(server, captioner) -> None:
    server.planned = [{"choices": [{"message": {"content": '"a  local\nmodel"'}}]}]
    free = captioner(input_price=0, output_price=0, max_cost=0.01)
    assert free.captions([grey(7)]) == ["a local model"]


def test_settings_that_decide_no_caption_leave_the_hash_alone(server, tmp_path: Path) -> None:
    config = {
        "base_url": server.url, "model": "seer-1", "prompt": "What?", "answers": tmp_path / "a",
        "max_cost": 1, "input_price": 1, "output_price": 1,
    }  # fmt: skip

    def models(**other: Any) -> Any:
        role = Role("openai_captioner", None, {**config, **other}, "unknown")
        return dataclasses.replace(load_set("embedded"), captioner=role)

    before = models().hashes(("captioner",))
    assert load_role(models(), "captioner").captions([grey(3)]) == ["a picture of brightness 3"]
    assert models(max_cost=5, answers=tmp_path / "b").hashes(("captioner",)) == before
    assert models(prompt="Who?").hashes(("captioner",)) != before
    with pytest.raises(UsageError, match=r"\[captioner\]: no openai_captioner .*unknown config"):
        load_role(models(temperature=1), "captioner")


def test_keys_are_of_pixels_and_shape() -> None:
    assert picture_key(grey(1)) == picture_key(np.asfortranarray(grey(1)))
    assert picture_key(grey(1)) != picture_key(grey(2))
    assert picture_key(np.zeros((2, 8, 3), np.uint8)) != picture_key(np.zeros((4, 4, 3), np.uint8))
