"""The individuals of the source sets, and what is said of a picture of theirs."""

from instruct_imagen_data.planted import captions
from instruct_imagen_data.planted.models import STAGES
from instruct_imagen_data.planted.world import Entity, entities

_APART = 1_000_003  # the sets show individuals and views that the web of the same seed has not
_MOTLEY = frozenset({"airplane", "sailboat", "train", "hot air balloon"})
_PLACES = {
    "studio": "before a plain backdrop",
    "room": "in a room",
    "table": "on a table",
    "meadow": "in a meadow",
    "woodland": "in the woods",
    "snowfield": "in the snow",
    "beach": "on a beach",
    "savanna": "in dry grass",
    "road": "on a road",
    "railway": "on the rails",
    "plaza": "on a square",
    "sea": "at sea",
    "air": "in the sky",
    "underwater": "under water",
}


def own_seed(seed: int) -> int:
    """The seed of the sets' own world, which shares nobody with the web that `seed` plants."""
    return seed + _APART


def individuals(seed: int, per_noun: int) -> dict[str, list[Entity]]:
    """So many individuals of each noun of the sets' own world."""
    found: dict[str, list[Entity]] = {}
    for one in entities(own_seed(seed), per_noun):
        found.setdefault(one.noun, []).append(one)
    return found


def placed(entity: Entity, view_index: int) -> str:
    """What the picture shows, and where: "mug in a room"; of a landscape its noun alone."""
    stage = STAGES.get(entity.noun)
    if stage is None:
        return entity.noun
    return f"{entity.noun} {_PLACES[stage.settings[view_index % len(stage.settings)]]}"


def described(entity: Entity, view_index: int) -> str:
    """What the picture shows, how it looks, and where: "blue striped mug in a room".

    Without its look where that is of several colours, none of which is most of it.
    """
    if entity.domain == "buildings" or entity.noun in _MOTLEY:
        return placed(entity, view_index)
    return f"{captions.look(entity)} {placed(entity, view_index)}"


def with_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
