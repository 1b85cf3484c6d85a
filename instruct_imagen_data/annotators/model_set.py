"""Model sets: TOML files that say which network and which weights serve each role.

In a `config` table a text that starts with "./" is a path beside the file. `weights` is a path
beside the file too; where a `url` is given, it is a name in the cache folder, fetched on first
use. Every key is needed, and an unknown one is an error.
"""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from instruct_imagen_data.annotators.clip import Clip
from instruct_imagen_data.annotators.cnniqa import Cnniqa
from instruct_imagen_data.annotators.nima import Nima
from instruct_imagen_data.annotators.roles import (
    Domain,
    Duplicates,
    ImageTextRole,
    ModelSet,
    QualityRole,
)
from instruct_imagen_data.annotators.weights import (
    UNVERIFIED,
    Weights,
    cache_folder,
    check,
    fetch,
)
from instruct_imagen_data.errors import UsageError

__all__ = [
    "NETWORKS",
    "Domain",
    "Duplicates",
    "ImageTextRole",
    "ModelSet",
    "Networks",
    "QualityRole",
    "Weights",
    "check",
    "load_networks",
    "load_set",
]

NETWORKS: dict[str, type[Nima] | type[Cnniqa] | type[Clip]] = {
    "nima": Nima,
    "cnniqa": Cnniqa,
    "clip": Clip,
}
_SERVES = {"quality": ("nima", "cnniqa"), "image_text": ("clip",)}
_SHIPPED = Path(__file__).parent / "sets"
_SHA256_DIGITS = 64
_REASON_LENGTH = 200


@dataclasses.dataclass(frozen=True)
class Networks:
    """The loaded networks of a set."""

    quality: Nima | Cnniqa
    image_text: Clip


def load_set(name_or_path: str) -> ModelSet:
    """The model set of a shipped name ("paper", "embedded") or of a TOML file. Loads no weights.

    Raises:
      UsageError: no such set, or what is wrong in its file and where.
    """
    shipped = {path.stem: path for path in _SHIPPED.glob("*.toml")}
    path = shipped.get(name_or_path, Path(name_or_path)).absolute()
    try:
        table = _Table(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except (FileNotFoundError, IsADirectoryError):
        known = ", ".join(sorted(shipped))
        raise UsageError(f"no model set {name_or_path!r}: neither {known} nor a file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no TOML: {error}") from error
    models = ModelSet(
        name=table.text("name"),
        path=path,
        quality=_quality(table.table("quality")),
        image_text=_image_text(table.table("image_text")),
        duplicates=_duplicates(table.table("duplicates")),
        domains=tuple(_domain(each) for each in table.tables("domain")),
        rejects=tuple(_domain(each) for each in table.tables("reject")),
    )
    table.end()
    names = [domain.name for domain in (*models.domains, *models.rejects)]
    if len(set(names)) < len(names) or len(models.domains) < 2:
        raise UsageError(f"{path}: at least two domains are needed, and each name once")
    return models


def load_networks(models: ModelSet, precision: str = "fp32", device: str = "cpu") -> Networks:
    """The networks of a set, with weights fetched and checked, ready for inference.

    Raises:
      UsageError: a weight file is missing, wrong, cannot be downloaded, or does not fit the
        network that the set describes.
    """

    def load(role: QualityRole | ImageTextRole) -> Any:
        path = fetch(role.weights)
        network = NETWORKS[role.network]
        try:
            return network.load(path, config=role.config, precision=precision, device=device)
        except (KeyError, RuntimeError, SafetensorError) as error:  # RuntimeError: other layers
            reason = " ".join(str(error).split())[:_REASON_LENGTH]
            place = f"{models.path}, [{role.weights.role}]"
            raise UsageError(f"{place}: no {role.network} out of {path}: {reason}") from error

    return Networks(quality=load(models.quality), image_text=load(models.image_text))


class _Table:
    """A TOML table that is read key by key, with errors that name the place."""

    def __init__(self, values: dict[str, Any], path: Path, place: str = "") -> None:
        self._values = dict(values)
        self.path = path
        self.place = place

    def wrong(self, message: str) -> UsageError:
        where = f"{self.path}, [{self.place}]" if self.place else f"{self.path}"
        return UsageError(f"{where}: {message}")

    def take(self, key: str, kinds: tuple[type, ...], what: str) -> Any:
        if key not in self._values:
            raise self.wrong(f"no {key!r}")
        value = self._values.pop(key)
        # bool is an int in Python, and true is no number in TOML
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self.wrong(f"{key!r} must be {what}, not {value!r}")
        return value

    def text(self, key: str) -> str:
        return str(self.take(key, (str,), "a text"))

    def number(self, key: str) -> float:
        return float(self.take(key, (int, float), "a number"))

    def span(self, key: str) -> tuple[float, float]:
        ends = self.take(key, (list,), "two numbers")
        if len(ends) != 2 or not all(isinstance(end, int | float) for end in ends):
            raise self.wrong(f"{key!r} must be two numbers, not {ends!r}")
        return float(ends[0]), float(ends[1])

    def table(self, key: str) -> "_Table":
        place = f"{self.place}.{key}".lstrip(".")
        return _Table(self.take(key, (dict,), "a table"), self.path, place)

    def tables(self, key: str) -> list["_Table"]:
        return [
            _Table(each, self.path, key) for each in self.take(key, (list,), "a list of tables")
        ]

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self._values else None

    def config(self) -> dict[str, Any]:
        """All values left, with a path for each text that starts with "./"."""
        values, self._values = self._values, {}
        beside = self.path.parent
        return {
            key: (beside / value).resolve() if str(value).startswith("./") else value
            for key, value in values.items()
        }

    def end(self) -> None:
        if self._values:
            raise self.wrong(f"unknown key {min(self._values)!r}")


def _quality(table: _Table) -> QualityRole:
    network, weights, config = _network(table)
    low, high = table.span("range")
    role = QualityRole(
        network=network,
        weights=weights,
        config=config,
        direction=table.text("direction"),
        low=low,
        high=high,
        floor=table.number("floor"),
    )
    if role.direction not in ("higher", "lower"):
        raise table.wrong(f"'direction' must be higher or lower, not {role.direction!r}")
    table.end()
    return role


def _image_text(table: _Table) -> ImageTextRole:
    network, weights, config = _network(table)
    role = ImageTextRole(
        network=network,
        weights=weights,
        config=config,
        logit_scale=table.number("logit_scale"),
        min_probability=table.number("min_probability"),
        min_margin=table.number("min_margin"),
        min_similarity=table.number("min_similarity"),
    )
    table.end()
    return role


def _network(table: _Table) -> tuple[str, Weights, dict[str, Any]]:
    """What every role has: network, weight file, config."""
    role = table.place
    network = table.text("network")
    if network not in _SERVES[role]:
        known = ", ".join(_SERVES[role])
        raise table.wrong(f"unknown network {network!r}; for this role: {known}")
    name, url = table.text("weights"), table.optional_text("url")
    sha256 = table.text("sha256")
    if sha256 != UNVERIFIED and len(sha256) != _SHA256_DIGITS:
        raise table.wrong(f"'sha256' must be {_SHA256_DIGITS} hex digits or {UNVERIFIED!r}")
    folder = table.path.parent if url is None else cache_folder()
    weights = Weights(
        role=role,
        path=(folder / name).resolve(),
        sha256=sha256.lower(),
        url=url,
        licence=table.text("licence"),
        source=table.text("source"),
    )
    return network, weights, table.table("config").config()


def _duplicates(table: _Table) -> Duplicates:
    rule = Duplicates(
        cosine=table.number("cosine"),
        confirm_cosine=table.number("confirm_cosine"),
        phash_bits=int(table.number("phash_bits")),
    )
    table.end()
    return rule


def _domain(table: _Table) -> Domain:
    sentences = table.take("sentences", (list,), "a list of texts")
    domain = Domain(name=table.text("name"), sentences=tuple(map(str, sentences)))
    if not domain.sentences:
        raise table.wrong(f"{domain.name!r} has no sentences")
    table.end()
    return domain
