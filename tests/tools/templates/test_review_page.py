"""The page of the review, asked as a browser asks: what it shows, takes, and refuses."""

import base64
import errno
import html
import io
import itertools
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from fastapi.testclient import TestClient

from instruct_imagen_data import shards
from instruct_imagen_data.tools.templates import drafts, review
from instruct_imagen_data.tools.templates.drafts import Decision, Draft
from instruct_imagen_data.tools.templates.review.app import application

Page = Callable[..., "Reviewer"]
BASE = "http://127.0.0.1:8080"


class Reviewer:
    """A browser on the page of one reviewer."""

    def __init__(self, folders: Any, name: str) -> None:
        options = review.Options(
            folders.examples, 0, folders.drafts, folders.templates, reviewer=name
        )
        self.desk = review.open_desk(options)
        self.client = TestClient(application(self.desk), BASE, follow_redirects=False)
        self.folders = folders

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def fields(self, path: str) -> dict[str, str]:
        """What the form of a draft's page holds."""
        page = self.get(path).text
        found = {}
        for name in ("token", "draft"):
            (value,) = set(re.findall(rf'name="{name}" value="([^"]+)"', page))
            found[name] = html.unescape(value)
        return found

    def say(self, path: str, decision: str, text: str = "", reason: str = "") -> Any:
        given = {"decision": decision, "text": text, "reason": reason}
        return self.client.post(path, data=self.fields(path) | given)

    def log(self, dataset: str = "depth_webli") -> list[Decision]:
        return drafts.decisions(dataset, self.folders.drafts)

    def texts(self, dataset: str = "depth_webli") -> list[str]:
        path = Path(self.folders.templates) / f"{dataset}.toml"
        found = tomllib.loads(path.read_text()).get("template", []) if path.exists() else []
        return [row["text"] for row in found]


@pytest.fixture
def page(folders: Any) -> Page:
    return lambda name="Ann": Reviewer(folders, name)


def test_a_draft_is_read_with_three_examples(page: Page) -> None:
    text = page().get("/depth_webli/1").text
    assert text.count('<div class="reading">') == 3
    assert text.count('class="target"') == 3
    assert text.count('class="ref"') == 3  # one marker in each
    assert "Written by writer-1 as a curator" in text
    assert "draft 1 of 3" in text
    assert "<b>0</b> of 3" in text
    assert "<b>0</b> of 5" in text  # all datasets
    for source in re.findall(r'src="([^"]+)"', text):
        data = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))
        with PIL.Image.open(io.BytesIO(data)) as image:
            assert image.size == (60, 40)


def test_captions_are_text_and_cite_nothing(page: Page) -> None:
    text = page().get("/depth_webli/2").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; [ref#2] {ref#1} ⟨U+202E⟩terces" in text
    assert 'alt="reference 2"' not in text
    assert text.count('alt="reference 1"') == 3
    assert "depth map: &lt;script&gt;" in text  # what {ref#1} and {caption} became


def test_examples_are_drawn_by_hash_and_fit_the_wording(page: Page) -> None:
    ann, bo = page("Ann"), page("Bo")
    one = re.findall(r'src="([^"]+)"', ann.get("/styled/1").text)
    assert one == re.findall(r'src="([^"]+)"', bo.get("/styled/1").text)
    painters = re.findall(r"as Painter (\d+) did", ann.get("/styled/2").text)
    assert len(set(painters)) == 3
    assert all(int(number) % 4 == 0 for number in painters)  # the others have none


def test_only_asked_for_rows_are_read(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = page()
    read: list[str] = []
    real = shards.open_part

    def counted(path: str) -> Any:
        read.append(path)
        return real(path)

    monkeypatch.setattr(shards, "open_part", counted)
    ann.get("/depth_webli/1")
    assert read
    assert all("/depth_webli/" in path for path in read)
    before = len(read)
    ann.client.post("/depth_webli/1/preview", data=ann.fields("/depth_webli/1") | {"text": "x"})
    assert len(read) - before <= 4  # texts alone, twice two parts: the pictures are still there


def test_accepting_goes_on_and_fills_the_file(page: Page) -> None:
    ann = page()
    answer = ann.say("/depth_webli/1", "accept")
    assert (answer.status_code, answer.headers["location"]) == (303, "/depth_webli/2")
    (made,) = ann.log()
    assert (made.decision, made.reviewer, made.reviewer_kind) == ("accept", "Ann", "person")
    assert ann.texts() == [made.text] == ["Paint {caption}, keeping the layout of the {ref#1}."]
    assert "You accepted it" in ann.get("/depth_webli/1").text
    assert "<b>1</b> of 3" in ann.get("/depth_webli/2").text


def test_after_the_last_draft_of_a_dataset_comes_the_next_and_then_what_was_skipped(
    page: Page,
) -> None:
    ann = page()
    assert 'id="skip" href="/styled/1"' in ann.get("/depth_webli/3").text
    assert 'id="back" href="/depth_webli/3"' in ann.get("/styled/1").text
    assert 'id="skip" href="/"' in ann.get("/styled/2").text
    order = ["/depth_webli/3", "/styled/1", "/styled/2", "/depth_webli/1", "/depth_webli/2", "/"]
    for here, then in itertools.pairwise(order):
        assert ann.say(here, "accept").headers["location"] == then
    assert "All drafts are decided" in ann.get("/").text


def test_an_edit_must_be_a_template(page: Page) -> None:
    ann = page()
    for text, why in [
        ("Paint {caption} & {ref#2} <b>", "{ref#2} is no slot of depth_webli"),
        ("Paint {caption}", "it does not cite {ref#1}"),
        ("Paint {ref#1}", "it does not use {caption}"),
        ("Paint {caption} {", "holds a brace"),
        ("{caption} \u200b{ref#1}", "U+200B"),
        (" \r\n ", "it is empty"),
    ]:
        answer = ann.say("/depth_webli/1", "edit", text)
        assert answer.status_code == 422
        shown = html.unescape(answer.text)
        assert f"Not taken: {why[0]}" in shown or why in shown
        assert why in shown
        if "&" in text:
            assert "Paint {caption} &amp; {ref#2} &lt;b&gt;</textarea>" in answer.text  # kept
    assert ann.log() == []
    assert ann.texts() == []
    answer = ann.say("/depth_webli/1", "edit", "  Two\r\nlines: {caption} {ref#1} ")
    assert answer.status_code == 303
    assert ann.texts() == ["Two\nlines: {caption} {ref#1}"]
    assert ann.log()[0].decision == "edit"
    shown = ann.get("/depth_webli/1").text
    assert "Two\nlines: {caption} {ref#1}</textarea>" in shown  # a further edit begins with it


def test_an_edit_that_changes_nothing_is_an_acceptance(page: Page) -> None:
    ann = page()
    ann.say("/depth_webli/2", "edit", "{ref#1}: {caption}")
    assert [made.decision for made in ann.log()] == ["accept"]


def test_a_draft_that_is_no_template_can_be_edited_or_rejected(
    page: Page, folders: Any, draft: Callable[..., Draft]
) -> None:
    drafts.append("depth_webli", [draft("depth_webli", "Paint [ref#1] {")], folders.drafts)
    ann = page()
    shown = ann.get("/depth_webli/4").text
    assert "holds a brace or a marker" in shown
    assert re.search(r"<button[^>]* disabled>Accept", shown)
    assert ann.say("/depth_webli/4", "accept").status_code == 422
    assert ann.log() == []
    assert ann.say("/depth_webli/4", "reject").status_code == 422  # no reason
    assert ann.say("/depth_webli/4", "reject", reason="no slots").status_code == 303
    assert [(made.decision, made.reason) for made in ann.log()] == [("reject", "no slots")]


def test_a_wording_that_is_a_template_already_is_told(page: Page, folders: Any) -> None:
    there = '[[template]]\nid = "styled/042"\ntext = "{caption}  In the style of {ref#1}"\n'
    path = Path(folders.templates) / "styled.toml"
    path.write_text('task = "styled_generation"\n' + there)
    ann = page()
    assert "styled/042 has the same wording" in ann.get("/styled/1").text
    assert ann.say("/styled/1", "accept").status_code == 422


def test_the_last_word_counts_and_nothing_is_overwritten(page: Page) -> None:
    ann = page()
    ann.say("/depth_webli/1", "accept")
    ann.say("/depth_webli/1", "reject", reason="on second thoughts")
    assert [made.decision for made in ann.log()] == ["accept", "reject"]
    assert ann.texts() == []
    assert "<b>1</b> of 3" in ann.get("/depth_webli/1").text  # decided once
    ann.say("/depth_webli/1", "accept")
    assert len(ann.log()) == 3
    assert len(ann.texts()) == 1


def test_a_review_is_blind_until_it_is_done(page: Page) -> None:
    ann, bo = page("Ann"), page("Bo")
    before = bo.get("/depth_webli/1").text
    ann.say("/depth_webli/1", "edit", "Ours: {caption} {ref#1}")
    ann.say("/depth_webli/2", "reject", reason="a secret reason")
    after = bo.get("/depth_webli/1").text

    def without_secrets(page: str) -> str:
        return re.sub(r'nonce="[^"]+"', "", page)

    assert without_secrets(after) == without_secrets(before)
    assert "Ann" not in bo.get("/depth_webli/2").text
    bo.say("/depth_webli/1", "accept")
    assert "Ann edited it" in bo.get("/depth_webli/1").text
    assert "Ours: {caption} {ref#1}" in bo.get("/depth_webli/1").text
    bo.say("/depth_webli/2", "reject", reason="dull")
    assert "a secret reason" in bo.get("/depth_webli/2").text


def test_agreement_is_shown(page: Page) -> None:
    ann, bo = page("Ann"), page("Bo")
    assert "No two reviewers have decided on the same draft" in ann.get("/").text
    # both: a a, r a, r r: same on 2 of 3; by chance (1 * 2 + 2 * 1) / 9; kappa 2/9 / (5/9) = 0.4
    for number, first, second in [
        (1, "accept", "accept"),
        (2, "reject", "accept"),
        (3, "reject", "reject"),
    ]:
        ann.say(f"/depth_webli/{number}", first, reason="x")
        bo.say(f"/depth_webli/{number}", second, reason="y")
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", bo.get("/").text.partition("Agreement")[2])
    assert cells == ["Ann and Bo", "3", "2", "67 %", "0.40"]


def test_a_preview_shows_an_edit_before_it_is_decided(page: Page) -> None:
    ann = page()
    fields = ann.fields("/depth_webli/1")
    good = ann.client.post(
        "/depth_webli/1/preview", data=fields | {"text": "New {ref#1} {caption}"}
    )
    assert good.text.count("New <span") == 3
    assert "findings" not in good.text
    bad = ann.client.post("/depth_webli/1/preview", data=fields | {"text": "<i>{ref#3}"})
    assert "{ref#3} is no slot" in bad.text
    assert "<i>" not in bad.text
    assert ann.log() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8080"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "evil@127.0.0.1"},
        {"host": "127.0.0.1:x"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "https://127.0.0.1:8080"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_are_refused(page: Page, headers: dict[str, str]) -> None:
    ann = page()
    fields = ann.fields("/depth_webli/1") | {"decision": "accept"}
    for answer in (
        ann.get("/depth_webli/1", **headers),
        ann.client.post("/depth_webli/1", data=fields, headers=headers),
    ):
        assert answer.status_code == 403
        assert answer.text.startswith("refused: ")
        assert "token" not in answer.text
    assert ann.log() == []


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:9000", "localhost"])
def test_the_page_itself_is_let_in(page: Page, host: str) -> None:
    ann = page()
    fields = ann.fields("/depth_webli/1") | {"decision": "accept"}
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert ann.client.post("/depth_webli/1", data=fields, headers=headers).status_code == 303


def test_forms_without_this_start_s_token_are_refused(page: Page) -> None:
    ann, other = page(), page()
    fields = ann.fields("/depth_webli/1") | {"decision": "accept"}
    assert other.fields("/depth_webli/1")["token"] != fields["token"]
    for wrong in (fields | {"token": ""}, fields | {"token": other.fields("/styled/1")["token"]}):
        assert ann.client.post("/depth_webli/1", data=wrong).status_code == 403
        assert ann.client.post("/depth_webli/1/preview", data=wrong).status_code == 403
    assert ann.client.post("/depth_webli/1", json=fields).status_code == 403
    large = fields | {"text": "x" * (1 << 16)}
    assert ann.client.post("/depth_webli/1", data=large).status_code == 403
    assert ann.client.post("/depth_webli/2", data=fields).status_code == 409  # of another draft
    assert ann.client.post("/depth_webli/1", data=fields | {"decision": "x"}).status_code == 409
    assert ann.log() == []


def test_nothing_comes_from_elsewhere(page: Page) -> None:
    ann = page()
    for path in ("/", "/depth_webli/1"):
        answer = ann.get(path)
        policy = answer.headers["content-security-policy"]
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
        assert nonce is not None
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        tags = re.findall(r"<(?:script|style)[^>]*>", answer.text)
        assert tags
        assert all(f'nonce="{nonce[1]}"' in tag for tag in tags)
        assert not re.search(r'\s(?:style|on\w+)="', answer.text)
        sources = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
        assert all(source.startswith(("data:", "/")) for source in sources)
    assert ann.get("/").headers["content-security-policy"] != policy  # a nonce an answer


def test_what_is_not_there(page: Page) -> None:
    ann = page()
    for path in ("/depth_webli/0", "/depth_webli/4", "/natural/1", "/docs", "/openapi.json"):
        assert ann.get(path).status_code == 404
    assert ann.get("/depth_webli/x").status_code == 422


def test_a_decision_that_cannot_be_written_says_so(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = page()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    answer = ann.say("/depth_webli/1", "accept")
    assert answer.status_code == 500
    assert "decisions.jsonl cannot be written (No space left on device)" in answer.text
    assert ann.texts() == []
