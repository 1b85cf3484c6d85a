"""The report: its numbers against the rows they come from, and a page that opens anywhere."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from instruct_imagen_data import cli
from instruct_imagen_data.tools import finished
from instruct_imagen_data.tools.report import counts, page, samples

VOID = {"meta", "img", "br", "hr", "input", "link", "rect"}


class Page(HTMLParser):
    """Tags of a page, checked for nesting, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def html(web) -> str:
    return page.render(finished.open_jobs(web.folders), [])


def test_the_funnel_counts_every_row(web, html: str) -> None:
    text = Page(html).text
    left = len(web.rows) + len(web.refused)
    assert f"{left} web pairs became 2 neighbourhoods of five" in text
    assert f"pairs read {left}" in text
    left -= len(web.refused)
    assert f"hold a usable picture {left}" in text
    for title, reasons in (
        ("are good enough", ["low_quality"]),
        ("belong to a domain", ["domain"]),
        ("fit their caption", ["low_similarity"]),
        ("are no duplicate", ["duplicate"]),
        ("are in a neighbourhood", ["band", "no_neighbours", "leftover"]),
    ):
        left -= sum(len(web.of(reason)) for reason in reasons)
        assert f"{title} {left}" in text
    assert left == len(web.of("")) == 10


def test_the_page_is_well_formed_and_loads_nothing(html: str) -> None:
    read = Page(html)
    assert all(
        attrs["src"].startswith("data:image/jpeg;base64,") for t, attrs in read.tags if t == "img"
    )
    assert not [
        tag for tag, _ in read.tags if tag in ("script", "link", "iframe", "object", "base")
    ]
    assert not re.search(r"url\(|@import|srcset", html)
    ids = {attrs["id"] for _, attrs in read.tags if "id" in attrs}
    jumps = {attrs["href"] for tag, attrs in read.tags if tag == "a"}
    assert jumps == {f"#{name}" for name in ids}


def test_captions_and_details_show_as_text(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "detail of &lt;truncated&gt;" in html


def test_the_same_directories_give_the_same_page(web, html: str) -> None:
    assert page.render(finished.open_jobs(web.folders[::-1]), []) == html


def test_domains_and_histograms_agree_with_the_rows(web) -> None:
    jobs = finished.open_jobs(web.folders)
    database = finished.connect(jobs)
    counts.prepare(database, jobs)
    for one in counts.domains(database):
        rows = [row for row in web.rows if row.domain == one.name]
        assert one.rows == len(rows)
        assert one.accepted == sum(row.fate != "domain" for row in rows)
        assert one.used == sum(row.fate == "" for row in rows)
        unused = ("", "leftover", "band", "no_neighbours")
        assert one.chosen == sum(row.fate in unused for row in rows)
    quality = counts.quality(database, jobs)
    values = [row.quality for row in web.rows]
    expected, _ = np.histogram(values, len(quality.bins), (quality.low, quality.high))
    assert [below + other for below, other in quality.bins] == expected.tolist()
    assert sum(below for below, _ in quality.bins) == len(web.of("low_quality"))
    assert [(cut.low, cut.high) for cut in quality.cuts] == [(5.0, 5.0), (2.0, 2.0)]
    assert sum(below for below, _ in counts.similarity(database, jobs).bins) == 1
    (animals, food) = counts.bands(database, jobs)
    assert (animals.domain, animals.neighbourhoods, animals.low, animals.high) == (
        "animals",
        1,
        0.4,
        0.9,
    )
    assert sum(other for _, other in food.cosines.bins) == 10


def test_the_worst_and_the_best_end_the_ladder(web) -> None:
    jobs = finished.open_jobs(web.folders)
    database = finished.connect(jobs)
    counts.prepare(database, jobs)
    drawn = samples.ladder(database, 5)
    ranked = sorted(row.quality for row in web.rows)
    assert [sample.quality for sample in drawn] == pytest.approx(
        [ranked[round(i * (len(ranked) - 1) / 4)] for i in range(5)]
    )


def test_a_corpus_alone_is_reported(web) -> None:
    read = Page(page.render(finished.open_jobs([web.corpus]), []))
    assert "20 of 22 web pairs hold a usable picture" in read.text
    assert "Neighbourhoods" not in read.text


def test_jobs_over_nothing_are_reported(empty_web) -> None:
    read = Page(page.render(finished.open_jobs(empty_web.folders), []))
    assert "0 web pairs became 0 neighbourhoods of five" in read.text


def test_thumbnails_are_small_whatever_the_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (900, 900, 3), dtype=np.uint8)
    sink = io.BytesIO()
    PIL.Image.fromarray(noise).save(sink, "PNG")
    uri, width, height = samples.thumbnail(sink.getvalue())
    assert max(width, height) <= 208
    assert len(uri) < 16384 * 4 / 3 + 100


def test_the_verb_writes_the_page_and_prints_the_truth(web, tmp_path: Path, capsys) -> None:
    target = tmp_path / "out" / "report.html"
    arguments = ["report", *web.folders, "--truth", web.truth, "--output", str(target)]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "against the planted truth" in out
    assert str(target) in out.splitlines()[-1]
    assert "Measured against what was planted" in Page(target.read_text()).text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["{near}"], "is a corpus"),
        (["{corpus}", "{corpus}"], "both of the job corpus"),
        (["{corpus}", "/no/such/folder"], "/no/such/folder is not there"),
        (["{truth}"], "is a file"),
        (["/"], "/ has no _MANIFEST.json"),
        (["{corpus}", "--truht", "x"], "did you mean --truth"),
        (["{corpus}", "--truth", "/no/truth.parquet"], "is not there"),
        (["{corpus}", "--truth", "{corpus}/images/part-00000-000.parquet"], "has no column entity"),
        ([], "directories"),
    ],
)
def test_wrong_use_is_one_line(web, tmp_path: Path, capsys, given: list[str], message: str) -> None:
    filled = [
        text.format(corpus=web.corpus, near=web.neighbours, truth=web.truth) for text in given
    ]
    target = tmp_path / "report.html"
    assert cli.main(["report", *filled, "--output", str(target)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not target.exists()


def test_neighbours_of_another_corpus_are_refused(web, empty_web, capsys) -> None:
    assert cli.main(["report", web.corpus, empty_web.neighbours]) == 2
    assert "was made of another corpus" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(web, tmp_path: Path, capsys) -> None:
    assert cli.main(["report", web.corpus, "--output", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
