"""`instruct-imagen templates review`: a local page on which people read drafts and decide."""

import contextlib
import dataclasses
import getpass
import os
import socket
import sys
from collections.abc import Sequence

import uvicorn

from instruct_imagen_data import command_line, storage, tasks, templates
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.review import guard, rows, shelf
from instruct_imagen_data.tools.templates.review.app import application
from instruct_imagen_data.tools.templates.review.desk import Desk


@dataclasses.dataclass(frozen=True)
class Options:
    """Shows each draft with real examples, on a page of this machine alone, to be decided on.

    Every decision is on disk before the next draft is shown. Accepted drafts go into the template
    files, which follow the decisions: to take one out again, reject it.

    Attributes:
        examples: Folder of derived datasets, as derive fills it: a folder each.
        port: Port of the page, on 127.0.0.1; 0 takes a free one.
        drafts: Folder of drafts and decisions.
        templates: Folder of template files; by default those of this checkout.
        reviewer: Your name, as the files will hold it; by default that of your login.
        reviewer_kind: person, or agent where a program reads the page.
    """

    examples: str
    port: int = 8080
    drafts: str = drafts.FOLDER
    templates: str = ""
    reviewer: str = ""
    reviewer_kind: str = "person"


def open_desk(options: Options) -> Desk:
    """The desk of a reviewer; template files are brought up to the decisions that are there.

    Raises:
      UsageError: a folder is missing, or there is nothing to review or nothing to read it with.
    """
    reviewer = options.reviewer.strip() or getpass.getuser()
    if options.reviewer_kind not in templates.REVIEWER_KINDS:
        kinds = " or ".join(templates.REVIEWER_KINDS)
        raise UsageError(f"--reviewer-kind {options.reviewer_kind!r} is not {kinds}")
    if not storage.exists(options.examples):
        raise UsageError(f"--examples {options.examples} is not there: instruct-imagen derive")
    folder = options.templates or str(templates.shipped())
    if not storage.exists(folder):
        raise UsageError(f"--templates {folder} is not there: make the folder first")
    named = [name for name in tasks.DATASETS if drafts.read(name, options.drafts)]
    if not named:
        raise UsageError(
            f"nothing to review: --drafts {options.drafts} holds no drafts; "
            "instruct-imagen templates generate"
        )
    found = rows.datasets(options.examples, named)
    if not found:
        raise UsageError(
            f"--examples {options.examples} holds no examples of {', '.join(named)}: "
            "instruct-imagen derive"
        )
    for name in named:
        shelf.move(name, options.drafts, options.templates)
    without = [name for name in named if name not in found]
    return Desk(options.drafts, options.templates, reviewer, options.reviewer_kind, found, without)


def listen(port: int) -> socket.socket:
    """A socket on the loopback address.

    Raises:
      UsageError: the port is taken, or may not be had.
    """
    if not 0 <= port < 1 << 16:
        raise UsageError(f"--port {port} is none: give one from 0 to {(1 << 16) - 1}")
    try:
        return socket.create_server((guard.HOST, port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"--port {port} cannot be had ({why}): give another") from error


def execute(options: Options) -> int:
    """Serves until it is interrupted."""
    desk = open_desk(options)
    app = application(desk)
    with contextlib.suppress(KeyboardInterrupt), listen(options.port) as sock:
        _tell(desk, sock.getsockname()[1])
        config = uvicorn.Config(
            app,
            log_level="warning",
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
        )
        uvicorn.Server(config).run(sockets=[sock])  # ends in good order, then interrupts us
    return 0


def _tell(desk: Desk, port: int) -> None:
    """Says where the page is, and what is left to do there."""
    progress = [one for one in desk.progress() if not one.reason]
    left = sum(one.total - one.done for one in progress)
    total = sum(one.total for one in progress)
    print(f"review: http://{guard.HOST}:{port}/ (Ctrl-C ends it)", flush=True)
    print(f"{left} of {total} drafts are open for {desk.reviewer}", flush=True)
    if desk.without:
        print(f"no examples, not shown: {', '.join(desk.without)}", file=sys.stderr)


def main(argv: Sequence[str]) -> int:
    """Runs the verb; its exit code."""
    return command_line.run("templates review", Options, execute, argv)
