"""The review in a browser: a person decides by keyboard, and sees what a person should see."""

from pathlib import Path
from typing import Any

from helpers.browser import browser
from helpers.review_server import serving

from instruct_imagen_data.tools.templates import drafts

SMALLEST = 900  # pixels: no narrower window is promised


def test_a_review_by_keyboard(folders: Any, shell: Any, tmp_path: Path) -> None:
    with (
        serving(shell, *folders.flags, "--reviewer", "Ann") as server,
        browser(tmp_path / "profile") as tab,
    ):

        def at(path: str) -> None:
            tab.arrive(server.url + path)

        tab.go(server.url + "/")
        tab.press("Enter")
        at("/depth_webli/1")
        tab.press("?")
        assert tab.look("document.querySelector('dialog').open") is True
        tab.press("a")  # not while the help is open
        tab.press("Escape")
        tab.until("!document.querySelector('dialog').open")
        tab.press("ArrowRight")
        at("/depth_webli/2")
        tab.press("b")
        at("/depth_webli/1")
        tab.press("a")
        at("/depth_webli/2")

        tab.press("e")
        tab.write(" {ref#2}")
        tab.until("document.querySelector('#reading .findings') !== null")  # the preview
        assert "{ref#2} is no slot" in tab.look("document.querySelector('.findings').textContent")
        tab.press("Enter", control=True)
        tab.until("document.querySelector('.deck .problem') !== null")
        assert tab.look("document.activeElement.value").endswith(" {ref#2}")  # to be mended
        tab.press("Escape")
        tab.press("e")
        tab.look("document.activeElement.select()")
        tab.write("As in {ref#1}: a & e & {caption}")
        tab.until("document.querySelector('#reading').textContent.includes('a & e & <script>')")
        tab.press("Enter", control=True)
        at("/depth_webli/3")

        tab.press("r")
        tab.press("Enter")  # no reason, no rejection
        assert tab.look("document.querySelector('#reason').validity.valueMissing") is True
        tab.write("names depth as data")
        tab.press("Enter")
        at("/styled/1")
        tab.press("ArrowLeft")
        at("/depth_webli/3")
        assert "names depth as data" in tab.look("document.querySelector('.said').textContent")
        tab.press("s")
        at("/styled/1")
    said = drafts.decisions("depth_webli", folders.drafts)
    assert [(made.decision, made.text, made.reason) for made in said] == [
        ("accept", "Paint {caption}, keeping the layout of the {ref#1}.", ""),
        ("edit", "As in {ref#1}: a & e & {caption}", ""),
        ("reject", "", "names depth as data"),
    ]


def test_what_is_seen(folders: Any, shell: Any, tmp_path: Path) -> None:
    with (
        serving(shell, *folders.flags, "--reviewer", "Ann") as server,
        browser(tmp_path / "profile") as tab,
    ):
        tab.size(SMALLEST, 700)
        tab.go(server.url + "/depth_webli/1")
        # Pictures are there, and so is the look: the policy lets both pass.
        assert tab.look("[...document.images].filter(one => one.naturalWidth === 60).length") == 6
        assert tab.look("getComputedStyle(document.querySelector('.deck')).position") == "sticky"
        assert tab.look("getComputedStyle(document.body).color") == "rgb(24, 32, 37)"
        for selector in ("#accept button", "#skip", "[data-open=reject]"):
            box = f"document.querySelector('{selector}').getBoundingClientRect()"
            assert tab.look(f"{box}.bottom <= innerHeight && {box}.right <= innerWidth") is True
        assert tab.look("document.documentElement.scrollWidth") == SMALLEST
        # What a caption says is text, and runs nothing.
        assert tab.look("document.querySelectorAll('main script').length") == 0
        assert tab.look("document.querySelector('.reading').innerText").count("<script>") == 1
        tab.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 10_000


def test_another_site_cannot_decide(folders: Any, shell: Any, tmp_path: Path) -> None:
    """A page of another origin that sends the very form, as a browser lets it."""
    with (
        serving(shell, *folders.flags) as server,
        browser(tmp_path / "profile") as tab,
    ):
        token = server.get("/depth_webli/1").partition('name="token" value="')[2].partition('"')[0]
        (first, *_) = drafts.read("depth_webli", folders.drafts)
        fields = {"token": token, "draft": first.id, "decision": "accept"}
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
        url = f"{server.url}/depth_webli/1"
        other = tmp_path / "other.html"
        other.write_text(f'<form method="post" action="{url}">{inputs}</form>')
        tab.go(other.as_uri())
        tab.look("document.forms[0].submit()")
        tab.arrive(url)
        assert tab.look("document.body.innerText").startswith("refused: the request was sent by")
    assert drafts.decisions("depth_webli", folders.drafts) == []
