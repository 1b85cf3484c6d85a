"""Very small networks on disk, as `train` leaves them."""

import tomllib
from pathlib import Path
from typing import Any

from helpers import networks
from helpers.training import MICRO

from model import backbone

SIDE = 8
DDIM = {"method": "ddim", "steps": 4, "guidance": "joint", "scale": 2.0, "threshold": "clip"}


def write_model(folder: Path, **sampling: Any) -> Path:
    """A folder of a network with drawn weights that reads its references."""
    tables = {**tomllib.loads(MICRO), "sampling": {**DDIM, **sampling}}
    made = backbone.from_tables(tables)
    backbone.save(made, networks.awaken(backbone.network(made)), str(folder))
    return folder
