"""A run whose directory is in a bucket: on an S3 gateway that the test starts."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from helpers.gateway import s3_gateway
from helpers.loader_sets import write_stage1
from helpers.training import run_of, weights

from instruct_imagen_data import storage
from model import checkpoint, tensors, train

BUCKET = "s3://runs"

pytestmark = pytest.mark.slow


@pytest.fixture
def gateway(go_tool: Callable[[str], Path], tmp_path: Path) -> Iterator[None]:
    (tmp_path / "gateway").mkdir()
    with s3_gateway(go_tool("versitygw"), tmp_path / "gateway", BUCKET):
        yield


def test_a_run_in_a_bucket_stops_and_goes_on(gateway: None, tmp_path: Path) -> None:
    data = write_stage1(tmp_path / "data", rows=20)
    local = run_of(tmp_path, data, "local")
    train.train(local)
    remote = dataclasses.replace(local, run_dir=f"{BUCKET}/a/run")
    short = dataclasses.replace(local.train, total_examples=8)
    train.train(dataclasses.replace(remote, train=short))
    train.train(remote)
    folder = checkpoint.latest(remote.run_dir)
    assert folder == f"{BUCKET}/a/run/checkpoints/000000000024"
    found = {
        file.name: storage.read_bytes(file.path)
        for file in storage.list_files(folder, recursive=True)
        if file.name.endswith(".safetensors")
    }
    assert found == weights(tmp_path / "local")
    lines = storage.read_bytes(f"{remote.run_dir}/metrics.jsonl").decode().splitlines()
    assert [json.loads(line)["examples"] for line in lines] == [4, 8, 12, 16, 20, 24]
    kept = storage.list_folders(f"{remote.run_dir}/checkpoints")
    assert [one[-12:] for one in kept] == ["000000000016", "000000000024"]


def test_large_tensors_go_up_in_parts(gateway: None) -> None:
    """More than one part of an upload: pyarrow's are of 10 MB."""
    given = {str(n): torch.arange(n, n + (1 << 21)) for n in range(3)}  # 50 MB
    tensors.write(f"{BUCKET}/large", given)
    found = dict(tensors.read(f"{BUCKET}/large"))
    assert found.keys() == given.keys()
    assert all(torch.equal(found[name], one) for name, one in given.items())
