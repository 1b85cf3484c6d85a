"""`instruct-imagen templates review` in a process of its own, and forms as a browser sends them."""

import contextlib
import re
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

Start = Callable[..., "subprocess.Popen[str]"]


class Server:
    """A running page."""

    def __init__(self, run: "subprocess.Popen[str]") -> None:
        self.run = run
        assert run.stdout is not None
        self.line = run.stdout.readline()
        found = re.match(r"review: (http://127\.0\.0\.1:\d+)/ ", self.line)
        assert found is not None, self.line + (run.stderr.read() if run.stderr else "")
        self.url = found[1]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return str(answer.read().decode())

    def accept(self, path: str) -> str:
        """Accepts the draft of a page; the address that follows."""
        page = self.get(path)
        fields = {"decision": "accept"}
        for name in ("token", "draft"):
            found = re.search(rf'name="{name}" value="([^"]+)"', page)
            assert found is not None
            fields[name] = found[1]
        data = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=60) as answer:
            return str(answer.url.removeprefix(self.url))


@contextlib.contextmanager
def serving(shell: Start, *flags: str) -> Iterator[Server]:
    """A page on a free port, for as long as the block lasts."""
    run = shell("templates", "review", "--port", "0", *flags)
    try:
        yield Server(run)
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)


def kill(server: Server) -> Any:
    """Ends a page at once, as a power cut would."""
    server.run.kill()
    return server.run.wait(60)
