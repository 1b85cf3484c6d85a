"""A local server that answers chat completions as real ones do, well and badly."""

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SOON = {"retry-after-ms": "1"}  # or the client itself would wait for half a second and more
FALLEN = (500, {"error": {"message": "I fell"}})
USAGE = {"prompt_tokens": 1000, "completion_tokens": 10}
SLOW = "slow"  # an answer that comes too late
GONE = "gone"  # a connection closed without one
TORN = "torn"  # one closed in the middle of it


@dataclasses.dataclass
class Server:
    """An endpoint that answers from a list, and when that is empty by `usual`.

    Attributes:
      planned: A body (JSON, or text as it is), (status, body) or (status, body, headers); or SLOW,
        GONE, TORN.
      seen: What was asked, in order.
      keys: The Authorization header of each request.
      released: SLOW answers wait for it.
    """

    url: str
    usual: Callable[[dict[str, Any]], Any]
    planned: list[Any] = dataclasses.field(default_factory=list)
    seen: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    keys: list[str | None] = dataclasses.field(default_factory=list)
    released: threading.Event = dataclasses.field(default_factory=threading.Event)

    def answer(self, asked: dict[str, Any], key: str | None) -> tuple[int, Any, dict[str, str]]:
        self.seen.append(asked)
        self.keys.append(key)
        planned = self.planned.pop(0) if self.planned else self.usual(asked)
        status, body, headers, *_ = (*planned, SOON) if isinstance(planned, tuple) else (
            200, planned, SOON,
        )  # fmt: skip
        return status, body, headers


def good(text: str | None, **choice: Any) -> dict[str, Any]:
    """A chat completion of one text."""
    message = {"role": "assistant", "content": text, **choice.pop("message", {})}
    rest = {"finish_reason": "stop", **choice}
    return {"choices": [{"index": 0, "message": message, **rest}], "usage": USAGE}


def _handler(there: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/chat/completions"
            status, reply, headers = there.answer(json.loads(body), self.headers["Authorization"])
            if reply == SLOW:
                there.released.wait(20)
                reply = good("too late")
            if reply == GONE:
                self.close_connection = True
                return
            data = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data) + (100 if reply == TORN else 0)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.close_connection = reply == TORN
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody waits
                self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def serving(usual: Callable[[dict[str, Any]], Any]) -> Iterator[Server]:
    """A server that runs while the body of a `with` does."""
    there = Server("", usual)
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(there))
    there.url = f"http://127.0.0.1:{listening.server_port}/v1"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield there
    finally:
        there.released.set()
        listening.shutdown()
        thread.join()
        listening.server_close()
