"""Runs as a process of several does them: sharded, one unbroken, one that stops and goes on; and
one by DDP.

python rank_runs.py CONFIG.toml DATA FOLDER PORT PORT PORT PORT
in an environment as torchrun makes it.
"""

import os
import sys

import pipelines  # noqa: F401  (one thread)
from model import train
from model.options import Options, config_of


def main(toml: str, data: str, folder: str, *ports: str) -> None:
    output = {"output.gap_every": 8, "output.gap_rows": 2, "output.samples_every": 8}
    few = {"sampling.method": "ddim", "sampling.steps": 2, "sampling.guidance": "joint"}
    runs = (("whole", 16, True), ("broken", 8, True), ("broken", 16, True), ("spread", 8, False))
    for port, (run, total, sharded) in zip(ports, runs, strict=True):
        changes = {**output, **({} if sharded else few), "compute.sharded": sharded}
        os.environ["MASTER_PORT"] = port
        options = Options(toml, data, f"{folder}/{run}", 1, total_examples=total)
        train.train(config_of(options, changes))


if __name__ == "__main__":
    main(*sys.argv[1:])
