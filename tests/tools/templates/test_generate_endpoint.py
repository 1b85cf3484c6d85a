"""Retries, pauses and dialects: one question to a server that is busy, broken or old."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.chat_server import FALLEN, GONE, SLOW, SOON, TORN, Server, good, serving
from helpers.template_writer import said

from instruct_imagen_data.annotators import chat
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates.generate import prompt, reply
from instruct_imagen_data.tools.templates.generate.answers import Answers, Question
from instruct_imagen_data.tools.templates.generate.endpoint import RETRIES, Endpoint, retry_after
from instruct_imagen_data.tools.templates.generate.reply import Completion, Tokens

PROMPT = prompt.build("wikiart", 0, [], [])
QUESTION = Question(PROMPT.sha256(), "writer-1", 1.0, 7)
ANSWER = said(["Paint: {caption}"])
MOST_WRITTEN = 4000
Asker = Callable[..., Endpoint]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda asked: ANSWER) as there:
        yield there


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return Answers(tmp_path / "answers.jsonl", "writer-1")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def asker(server, answers, waits) -> Iterator[Asker]:
    """asker(timeout=1): an endpoint that notes its pauses in `waits` and does not wait."""
    clients = []

    def make(timeout: float = 30.0, url: str = server.url) -> Endpoint:
        clients.append(chat.connect(url, timeout, retries=0))
        return Endpoint(clients[-1], answers, waits.append, lambda text: None)

    yield make
    for client in clients:
        client.close()


def test_what_may_pass_is_tried_again_with_longer_pauses(server, asker, answers, waits) -> None:
    server.planned = [(status, "", {}) for status in (500, 429, 503, 408, 409, 502)]
    found = asker().ask(QUESTION, PROMPT)
    assert reply.texts(found) == ("Paint: {caption}",)
    assert len(server.seen) == RETRIES + 1
    for number, pause in enumerate(waits):
        assert 0.75 * 2**number <= pause <= 2**number
    assert answers.spent == Tokens(1000, 10)  # what failed is not billed
    assert answers.unknown == 0


def test_a_server_says_how_long_to_wait(server, asker, waits) -> None:
    server.planned = [
        (429, {"error": {"message": "slower"}}, {"Retry-After": "12"}),
        (429, "", {"Retry-After": "0.5"}),
        (503, "", {"retry-after-ms": "250"}),
        (429, "", {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),  # over long ago
    ]
    asker().ask(QUESTION, PROMPT)
    assert waits == [12, 0.5, 0.25, 0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "3", "retry-after-ms": "10"}, 0.01),
        ({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20),
    ],
)
def test_headers_of_patience(headers, seconds) -> None:
    assert retry_after(headers, now=100.0) == seconds


def test_a_server_that_wants_too_long_is_left(server, asker, waits) -> None:
    server.planned = [(429, "", {"Retry-After": "3600"})]
    with pytest.raises(UsageError, match=r"wants 3600 seconds of peace: .*429.* goes on"):
        asker().ask(QUESTION, PROMPT)
    assert waits == []


def test_what_goes_on_failing_ends_in_one_line(server, asker, answers, waits) -> None:
    server.planned = [FALLEN] * 20
    with pytest.raises(UsageError, match=rf"no answer from http.* after {RETRIES} retries: .*fell"):
        asker().ask(QUESTION, PROMPT)
    assert len(server.seen) == RETRIES + 1
    assert len(waits) == RETRIES
    assert answers.spent == Tokens()


@pytest.mark.parametrize("fault", [GONE, TORN, SLOW, "<html>", "", "[]", {"error": "no"}, "null"])
def test_no_answer_is_tried_again_and_counts_at_its_most(
    server, asker, answers, waits, tmp_path, fault
) -> None:
    server.planned = [fault]
    found = asker(timeout=0.3).ask(QUESTION, PROMPT)
    assert reply.texts(found) == ("Paint: {caption}",)
    assert len(waits) == 1
    assert answers.unknown == 1
    assert answers.spent.written == 10 + MOST_WRITTEN
    size = sum(len(message["content"]) for message in PROMPT.messages())
    assert size < answers.spent.read - 1000 < size + 1000
    again = Answers(tmp_path / "answers.jsonl", "writer-1")
    assert (again.spent, again.unknown) == (answers.spent, 1)


def test_nobody_there_costs_nothing(asker, answers, waits) -> None:
    with pytest.raises(UsageError, match=r"no answer from http://127.0.0.1:9/v1"):
        asker(url="http://127.0.0.1:9/v1").ask(QUESTION, PROMPT)
    assert len(waits) == RETRIES
    assert answers.spent == Tokens()


@pytest.mark.parametrize(
    ("status", "error", "asked"),
    [
        (401, {"message": "no"}, 1),
        (403, {"message": "no"}, 1),
        (404, {"message": "no"}, 1),
        (413, {"message": "no"}, 1),
        (429, {"message": "no", "code": "insufficient_quota"}, 1),
        (400, {"message": "no"}, 3),  # with fewer demands, twice
    ],
)
def test_what_will_not_pass_is_not_tried_again(server, asker, waits, status, error, asked) -> None:
    server.usual = lambda body: (status, {"error": error})
    with pytest.raises(UsageError):
        asker().ask(QUESTION, PROMPT)
    assert len(server.seen) == asked
    assert waits == []


def test_an_answer_is_kept_and_not_asked_for_again(server, asker, answers, tmp_path) -> None:
    first = asker().ask(QUESTION, PROMPT)
    assert asker().ask(QUESTION, PROMPT) == first
    assert Answers(tmp_path / "answers.jsonl", "writer-1").get(QUESTION) == first
    assert len(server.seen) == 1
    other = Question(QUESTION.prompt_sha256, "writer-1", 1.0, 8)
    asker().ask(other, PROMPT)
    assert len(server.seen) == 2


def test_a_policy_refuses_one_prompt(server, asker, answers) -> None:
    server.planned = [(400, {"error": {"message": "not this", "code": "content_filter"}})]
    found = asker().ask(QUESTION, PROMPT)
    with pytest.raises(reply.Malformed, match="refused"):
        reply.texts(found)
    assert answers.get(QUESTION) == found
    assert answers.spent == Tokens()


def _refusing(*names: str) -> Callable[[dict], object]:
    """A server that does not know parameters, or kinds of response_format."""

    def answer(asked: dict) -> object:
        kind = (asked.get("response_format") or {}).get("type")
        for name in names:
            if name in asked or name == kind:
                return 400, {"error": {"message": f"Unknown parameter: '{name}'"}}, SOON
        return ANSWER

    return answer


@pytest.mark.parametrize(
    ("lacks", "kind", "limit"),
    [
        ([], "json_schema", "max_completion_tokens"),
        (["json_schema"], "json_object", "max_completion_tokens"),
        (["response_format"], None, "max_completion_tokens"),
        (["max_completion_tokens"], "json_schema", "max_tokens"),
        (["seed"], "json_schema", "max_completion_tokens"),
        (["max_completion_tokens", "seed", "response_format"], None, "max_tokens"),
    ],
)
def test_old_servers_are_asked_for_less(server, asker, answers, waits, lacks, kind, limit) -> None:
    server.usual = _refusing(*lacks)
    endpoint = asker()
    assert reply.texts(endpoint.ask(QUESTION, PROMPT)) == ("Paint: {caption}",)
    last = server.seen[-1]
    assert last.get("response_format", {}).get("type") == kind
    assert last[limit] == MOST_WRITTEN
    assert ("seed" in last) is ("seed" not in lacks)
    assert waits == []
    assert answers.spent == Tokens(1000, 10)
    count = len(server.seen)
    endpoint.ask(Question(QUESTION.prompt_sha256, "writer-1", 1.0, 8), PROMPT)
    assert len(server.seen) == count + 1  # it has learnt
    assert server.seen[-1].keys() == last.keys()


def test_a_server_may_fall_over_a_schema(server, asker, waits) -> None:
    server.planned = [(500, {"error": {"message": "cannot compile grammar of json_schema"}})]
    asker().ask(QUESTION, PROMPT)
    assert [one["response_format"]["type"] for one in server.seen] == ["json_schema", "json_object"]
    assert waits == []


def test_a_completion_may_lack_its_count_of_tokens(server, asker, answers) -> None:
    for number, usage in enumerate((None, {}, {"prompt_tokens": -1, "completion_tokens": 2}, 3)):
        server.planned = [{**ANSWER, "usage": usage}]
        asker().ask(Question(QUESTION.prompt_sha256, "writer-1", 1.0, number), PROMPT)
        assert answers.unknown == number + 1
    assert answers.spent.written == 4 * MOST_WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        '{"templates": ["a", " b "]}',
        '```json\n{"templates": ["a", "b"]}\n```',
        'Sure! {"templates": ["a", "b"], "note": 1} Enjoy.',
    ],
)
def test_templates_are_found_where_there_is_no_structured_output(text: str) -> None:
    assert reply.texts(Completion(text)) == ("a", "b")
    assert reply.read(json.dumps(good(text)))[0] == Completion(text)
