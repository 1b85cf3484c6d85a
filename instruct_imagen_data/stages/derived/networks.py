"""The networks that a derivation needs, loaded once a worker, and their licences."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from instruct_imagen_data.annotators import model_set


@dataclasses.dataclass(frozen=True)
class Setup:
    """Which networks a worker needs, and how it runs them.

    Attributes:
      models: Name of a model set, or path of a TOML.
      precision: fp32, bf16 or fp16: resolved at launch, never "auto".
      device: cpu or cuda.
      roles: Names of roles of the set.
    """

    models: str
    precision: str
    device: str
    roles: tuple[str, ...]


@dataclasses.dataclass  # not slotted: Beam holds it by a weak reference
class Networks:
    """Loaded networks, and the licences of what they make, by role."""

    by_role: Mapping[str, Any]
    licences: Mapping[str, str]


def load(setup: Setup) -> Networks:
    """The networks of a setup. One thread each: the workers are the parallelism."""
    import torch

    torch.set_num_threads(1)
    models = model_set.load_set(setup.models)
    return Networks(
        {
            role: model_set.load_role(models, role, setup.precision, setup.device)
            for role in setup.roles
        },
        licences_of(models, setup.roles),
    )


def licences_of(models: model_set.ModelSet, roles: Iterable[str]) -> dict[str, str]:
    """Role -> licence of the stage 2 networks that make something."""
    declared = {role: models.role(role) for role in roles}
    return {
        name: role.licence for name, role in declared.items() if isinstance(role, model_set.Role)
    }
