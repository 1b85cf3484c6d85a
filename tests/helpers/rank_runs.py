"""Sharded runs as a process of several does them: one unbroken, one that stops and goes on.

python rank_runs.py CONFIG.toml DATA FOLDER PORT PORT PORT, in an environment as torchrun makes it.
"""

import os
import sys

import pipelines  # noqa: F401  (one thread)
from model import train
from model.options import Options, config_of


def main(toml: str, data: str, folder: str, *ports: str) -> None:
    changes = {"compute.sharded": True, "output.gap_every": 8, "output.gap_rows": 2}
    for port, (run, total) in zip(
        ports, (("whole", 16), ("broken", 8), ("broken", 16)), strict=True
    ):
        os.environ["MASTER_PORT"] = port
        options = Options(toml, data, f"{folder}/{run}", 1, total_examples=total)
        train.train(config_of(options, changes))


if __name__ == "__main__":
    main(*sys.argv[1:])
