"""An S3 of one's own, for tests of what runs on object stores."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from instruct_imagen_data import storage

STARTS_SECONDS = 20.0


@contextlib.contextmanager
def s3_gateway(program: Path, folder: Path, bucket: str) -> Iterator[None]:
    """A gateway over a folder, with one bucket ("s3://name"); the environment points to it."""
    (folder / bucket.removeprefix("s3://")).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    secrets = {"ROOT_ACCESS_KEY": "reader", "ROOT_SECRET_KEY": "not-a-secret"}
    server = subprocess.Popen(
        [program, "--port", address, "posix", folder],
        env={**os.environ, **secrets},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{address}")
        patch.setenv("AWS_ACCESS_KEY_ID", secrets["ROOT_ACCESS_KEY"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", secrets["ROOT_SECRET_KEY"])
        patch.delenv("AWS_DEFAULT_REGION", raising=False)
        storage._filesystem.cache_clear()
        _wait(address, server)
        yield
        storage._filesystem.cache_clear()
    server.terminate()
    server.wait()


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    host, _, port = address.partition(":")
    end = time.monotonic() + STARTS_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    pytest.skip("the S3 gateway does not start here")
