"""A model set out of its TOML file.

`weights` is a path beside the file; where a `url` is given, it is a name in the cache folder,
fetched on first use. The tables of OPTIONAL roles may be left out.
"""

import tomllib
from pathlib import Path
from typing import Any

from instruct_imagen_data.annotators.model_set.networks import SERVES, WITHOUT_FILE
from instruct_imagen_data.annotators.model_set.table import Table
from instruct_imagen_data.annotators.roles import (
    OPTIONAL,
    Domain,
    Duplicates,
    Filters,
    ImageTextRole,
    ModelSet,
    QualityRole,
    Role,
)
from instruct_imagen_data.annotators.weights import UNVERIFIED, Weights, cache_folder
from instruct_imagen_data.errors import UsageError

SHIPPED = Path(__file__).parents[1] / "sets"
_SHA256_DIGITS = 64
# Roles whose networks may do without a weight file: an endpoint, or a folder in their config.
_ROLES_WITHOUT_FILE = ("captioner", "styler")


def load_set(name_or_path: str) -> ModelSet:
    """The model set of a shipped name ("paper", "embedded") or of a TOML file. Loads no weights.

    Raises:
      UsageError: no such set, or what is wrong in its file and where.
    """
    shipped = {path.stem: path for path in SHIPPED.glob("*.toml")}
    path = shipped.get(name_or_path, Path(name_or_path)).absolute()
    try:
        table = Table(tomllib.loads(path.read_text(encoding="utf-8")), path)
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
        filters=_filters(table.table("filters")),
        domains=tuple(_domain(each) for each in table.tables("domain")),
        rejects=tuple(_domain(each) for each in table.tables("reject")),
        **{name: _role(table.table(name)) for name in OPTIONAL if name in table},
    )
    table.end()
    names = [domain.name for domain in (*models.domains, *models.rejects)]
    if len(set(names)) < len(names) or len(models.domains) < 2:
        raise UsageError(f"{path}: at least two domains are needed, and each name once")
    return models


def _quality(table: Table) -> QualityRole:
    network, weights, config = _network(table), _weights(table), table.table("config").config()
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


def _image_text(table: Table) -> ImageTextRole:
    network, weights, config = _network(table), _weights(table), table.table("config").config()
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


def _role(table: Table) -> Role:
    network, config = _network(table), table.table("config").config()
    may_lack = table.place in _ROLES_WITHOUT_FILE or network in WITHOUT_FILE
    if may_lack and "weights" not in table:
        weights, licence = None, table.text("licence")
    else:
        weights = _weights(table)
        licence = weights.licence
    table.end()
    return Role(network=network, weights=weights, config=config, licence=licence)


def _network(table: Table) -> str:
    network, known = table.text("network"), SERVES[table.place]
    if network not in known:
        names = ", ".join(known) or "none"
        raise table.wrong(f"unknown network {network!r}; for this role: {names}")
    return network


def _weights(table: Table) -> Weights:
    name, url = table.text("weights"), table.optional_text("url")
    sha256 = table.text("sha256")
    if sha256 != UNVERIFIED and len(sha256) != _SHA256_DIGITS:
        raise table.wrong(f"'sha256' must be {_SHA256_DIGITS} hex digits or {UNVERIFIED!r}")
    folder = table.path.parent if url is None else cache_folder()
    return Weights(
        role=table.place,
        path=(folder / name).resolve(),
        sha256=sha256.lower(),
        url=url,
        licence=table.text("licence"),
        source=table.text("source"),
    )


def _duplicates(table: Table) -> Duplicates:
    rule = Duplicates(
        cosine=table.number("cosine"),
        confirm_cosine=table.number("confirm_cosine"),
        phash_bits=int(table.number("phash_bits")),
    )
    table.end()
    return rule


def _filters(table: Table) -> Filters:
    low, high = table.span("subject")
    found = Filters(low, high, table.number("caption"), table.number("copy"))
    table.end()
    return found


def _domain(table: Table) -> Domain:
    sentences: list[Any] = table.take("sentences", (list,), "a list of texts")
    domain = Domain(name=table.text("name"), sentences=tuple(map(str, sentences)))
    if not domain.sentences:
        raise table.wrong(f"{domain.name!r} has no sentences")
    table.end()
    return domain
