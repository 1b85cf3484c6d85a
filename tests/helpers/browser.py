"""A headless Chromium that is told what to do through a pipe: keys in, what it shows out."""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60  # seconds: two cores may have much else to do
# Chromium reads file 3 and writes to file 4.
_START = (
    "import os, sys; "
    "os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)
_TEXT = {"Enter": "\r"}


class Browser:
    """One tab. Speaks the DevTools protocol: JSON objects that end in a zero byte."""

    def __init__(self, told: int, heard: int) -> None:
        self._told, self._heard = told, heard
        self._rest = b""
        self._calls = 0
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        self.size(1200, 900)

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """The result of a call; events are passed over."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": values}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._told, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._answer()
            if answer.get("id") == self._calls:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _answer(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._heard, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(line))

    def size(self, width: int, height: int) -> None:
        """Sets the window's size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def go(self, url: str) -> None:
        """Opens an address and waits until it is loaded."""
        self.call("Page.navigate", url=url)
        self.arrive(url)

    def arrive(self, url: str) -> None:
        """Waits until an address is loaded, and its script run."""
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def look(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str) -> None:
        """Waits until an expression in the page is true."""
        end = time.monotonic() + PATIENCE
        while self.look(script) is not True:  # while a page is loaded, there may be none
            assert time.monotonic() < end, f"never true: {script}; at {self.look('location.href')}"
            time.sleep(0.05)

    def press(self, key: str, control: bool = False) -> None:
        """Presses and lets go of a key: "a", "?", "Enter", "ArrowLeft" ..."""
        text = _TEXT.get(key, key if len(key) == 1 else "")
        given = {"key": key, "modifiers": 2 if control else 0}
        if key in ("Enter", "Escape"):
            given |= {"windowsVirtualKeyCode": 13 if key == "Enter" else 27, "code": key}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Writes a text where the cursor is."""
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """What the window shows, as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a new profile; skips the test where there is no Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium here to show the page with")
    read_told, told = os.pipe()
    heard, write_heard = os.pipe()
    flags = (
        "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--disable-dev-shm-usage", "--disable-background-networking", f"--user-data-dir={profile}",
        "--remote-debugging-pipe",
    )  # fmt: skip
    ends = [fcntl.fcntl(one, fcntl.F_DUPFD, 10) for one in (read_told, write_heard)]
    run = subprocess.Popen(
        [sys.executable, "-c", _START, *map(str, ends), program, *flags, "about:blank"],
        pass_fds=ends,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for one in (read_told, write_heard, *ends):
        os.close(one)
    try:
        yield Browser(told, heard)
    finally:
        run.terminate()
        run.wait(PATIENCE)
        os.close(told)
        os.close(heard)
