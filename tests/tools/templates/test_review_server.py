"""The review as a command: wrong use is one line, nothing is lost, it ends in good order."""

import itertools
import signal
import socket
import threading
import tomllib
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.review_server import Server, kill, serving

from instruct_imagen_data.tools.templates import drafts, review
from instruct_imagen_data.tools.templates.drafts import Decision, Draft


def file_of(folders: Any, dataset: str) -> list[dict[str, Any]]:
    path = Path(folders.templates) / f"{dataset}.toml"
    found = tomllib.loads(path.read_text()) if path.exists() else {}
    return list(found.get("template", []))


def test_killed_in_the_midst_of_it_nothing_is_lost(
    folders: Any, shell: Any, draft: Callable[..., Draft]
) -> None:
    more = [draft("styled", f"{number}. {{caption}} {{ref#1}}") for number in range(200)]
    drafts.append("styled", more, folders.drafts)
    acknowledged: list[str] = []
    with serving(shell, *folders.flags, "--reviewer", "Ann") as server:
        some = threading.Event()

        def work() -> None:
            path = "/styled/1"
            while True:
                try:
                    path, done = server.accept(path), path
                except (urllib.error.URLError, OSError):
                    return
                acknowledged.append(done)
                if len(acknowledged) == 7:
                    some.set()

        worker = threading.Thread(target=work)
        worker.start()
        assert some.wait(60)
        assert kill(server) == -signal.SIGKILL
        worker.join(60)
    there = drafts.read("styled", folders.drafts)
    said = {made.draft for made in drafts.decisions("styled", folders.drafts)}
    assert 7 <= len(acknowledged) < 200
    for path in acknowledged:
        assert there[int(path.rpartition("/")[2]) - 1].id in said
    with serving(shell, *folders.flags, "--reviewer", "Ann"):
        rows = file_of(folders, "styled")
    assert [row["draft"] for row in rows] == [one.id for one in there if one.id in said]
    assert len({row["id"] for row in rows}) == len(rows)


def test_killed_between_log_and_file_it_is_moved_once(
    folders: Any, shell: Any, decision: Callable[..., Decision]
) -> None:
    one = drafts.read("styled", folders.drafts)[0]
    drafts.decide("styled", decision(one, "accept", "Ann"), folders.drafts)  # and then the kill
    assert file_of(folders, "styled") == []
    written = []
    for _ in range(2):
        with serving(shell, *folders.flags, "--reviewer", "Ann"):
            written.append(Path(folders.templates, "styled.toml").read_bytes())
    assert [row["draft"] for row in file_of(folders, "styled")] == [one.id]
    assert written[0] == written[1]


def test_two_reviewers_at_once_lose_nothing(folders: Any, shell: Any) -> None:
    with (
        serving(shell, *folders.flags, "--reviewer", "Ann") as ann,
        serving(shell, *folders.flags, "--reviewer", "Bo") as bo,
    ):

        def work(server: Server) -> None:
            for number in (1, 2, 3):
                server.accept(f"/depth_webli/{number}")

        workers = [threading.Thread(target=work, args=(one,)) for one in (ann, bo)]
        for one in workers:
            one.start()
        for one in workers:
            one.join(60)
    assert len(drafts.decisions("depth_webli", folders.drafts)) == 6
    rows = file_of(folders, "depth_webli")
    assert sorted(row["id"] for row in rows) == [f"depth_webli/00{n}" for n in (1, 2, 3)]
    assert {frozenset(row["reviewed_by"].split(", ")) for row in rows} == {frozenset({"Ann", "Bo"})}


def test_it_listens_on_the_loopback_address_alone_and_ends_on_ctrl_c(
    folders: Any, shell: Any
) -> None:
    with serving(shell, *folders.flags) as server:
        port = int(server.url.rpartition(":")[2])
        # 0100007F is 127.0.0.1, state 0A is LISTEN
        bound = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = [row[1] for row in bound if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
        assert listening == [f"0100007F:{port:04X}"]
        assert "5 of 5 drafts are open" in server.run.stdout.readline()  # type: ignore[union-attr]
        assert "Review of templates" in server.get("/")
        server.run.send_signal(signal.SIGINT)
        _, told = server.run.communicate(timeout=60)
        assert (server.run.returncode, told) == (0, "")


def test_a_port_in_use_is_one_line(folders: Any, command: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command("templates", "review", *folders.flags, "--port", port)
    assert (ended.code, ended.out) == (2, "")
    assert ended.lines == [
        f"instruct-imagen templates review: --port {port} cannot be had (Address already in use): "
        "give another"
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"examples": "nowhere"}, "--examples nowhere is not there"),
        ({"templates": "nowhere"}, "--templates nowhere is not there"),
        ({"drafts": "nowhere"}, "nothing to review: --drafts nowhere holds no drafts"),
        ({"reviewer-kind": "robot"}, "--reviewer-kind 'robot' is not person or agent"),
        ({"port": "70000"}, "--port 70000 is none: give one from 0 to 65535"),
    ],
)
def test_wrong_use_is_one_line(
    folders: Any, command: Any, change: dict[str, str], told: str
) -> None:
    changed = itertools.chain(*((f"--{name}", value) for name, value in change.items()))
    ended = command("templates", "review", *folders.flags, *changed)
    assert ended.code == 2
    (line,) = ended.lines
    assert line.startswith(f"instruct-imagen templates review: {told}")


def test_datasets_without_examples_are_named(
    folders: Any, draft: Callable[..., Draft], tmp_path: Path
) -> None:
    drafts.append("natural", [draft("natural", "Show {caption}")], folders.drafts)
    options = review.Options(folders.examples, 0, folders.drafts, folders.templates)
    desk = review.open_desk(options)
    assert desk.without == ["natural"]
    assert list(desk.rows) == ["depth_webli", "styled"]
    assert [one.dataset for one in desk.progress() if one.reason] == ["natural"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        review.UsageError, match="holds no examples of natural, depth_webli, styled"
    ):
        review.open_desk(
            review.Options(str(tmp_path / "empty"), 0, folders.drafts, folders.templates)
        )
