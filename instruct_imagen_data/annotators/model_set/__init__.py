"""Model sets: TOML files that say which network and which weights serve each role.

In a `config` table a text that starts with "./" is a path beside the file. `weights` is a path
beside the file too; where a `url` is given, it is a name in the cache folder, fetched on first
use. Every key is needed, and an unknown one is an error; roles that a corpus does without
(`roles.OPTIONAL`) may be left out.
"""

from instruct_imagen_data.annotators.model_set.networks import (
    NETWORKS,
    Networks,
    load_networks,
    load_role,
)
from instruct_imagen_data.annotators.model_set.read import SHIPPED, load_set
from instruct_imagen_data.annotators.roles import (
    Domain,
    Duplicates,
    ImageTextRole,
    ModelSet,
    QualityRole,
    Role,
)
from instruct_imagen_data.annotators.weights import Weights, check

__all__ = [
    "NETWORKS",
    "SHIPPED",
    "Domain",
    "Duplicates",
    "ImageTextRole",
    "ModelSet",
    "Networks",
    "QualityRole",
    "Role",
    "Weights",
    "check",
    "load_networks",
    "load_role",
    "load_set",
]
