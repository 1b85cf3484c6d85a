"""Drawn faces of nobody, in CelebA's layout.

`img_align_celeba/000001.jpg` ...; identity_CelebA.txt ("000001.jpg 2880");
list_attr_celeba.txt: the count, the attributes' names, then a row of 1 and -1 a picture.
"""

from collections.abc import Callable
from dataclasses import dataclass

from instruct_imagen_data.images import encode_jpeg
from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.extras.files import Files, text
from instruct_imagen_data.planted.extras.persons import PERSONS, Look, Person, looks, persons
from instruct_imagen_data.planted.extras.portrait import Format, portrait

_ALIGNED = Format(218, 178, (89.0, 116.0), 54.0)  # CelebA's size; the eyes lie where it has them
_VIEWS = tuple(4 + number % 3 for number in range(PERSONS))
_IDENTITIES = 10177  # CelebA's number of them

PICTURES = sum(_VIEWS)

ATTRIBUTES: dict[str, Callable[[Person, Look], bool]] = {
    "Bald": lambda who, _: who.style == "bald",
    "Black_Hair": lambda who, _: _has_hair(who, "black"),
    "Blond_Hair": lambda who, _: _has_hair(who, "blond"),
    "Brown_Hair": lambda who, _: _has_hair(who, "brown"),
    "Eyeglasses": lambda _, seen: seen.glasses != "none",
    "Gray_Hair": lambda who, _: _has_hair(who, "gray"),
    "Male": lambda who, _: who.male,
    "Mouth_Slightly_Open": lambda _, seen: seen.open_mouth,
    "Mustache": lambda who, _: who.beard in ("moustache", "full"),
    "No_Beard": lambda who, _: who.beard in ("none", "moustache"),
    "Smiling": lambda _, seen: seen.smiling,
    "Wearing_Hat": lambda _, seen: seen.hat != "none",
    "Young": lambda who, _: who.young,
}


@dataclass(frozen=True)
class Shot:
    """A picture of the album: its file, the identity's number, who it is and how seen."""

    file: str
    identity: int
    person: Person
    look: Look


def album(seed: int) -> list[Shot]:
    """All pictures in the order of their files, the persons' mixed as in CelebA."""
    rng = generator("album", seed)
    numbers = rng.choice(_IDENTITIES, PERSONS, replace=False) + 1
    shown = [(int(numbers[index]), person, look) for index, person in enumerate(persons(seed))
             for look in looks(seed, index, _VIEWS[index])]  # fmt: skip
    return [Shot(f"{place + 1:06d}.jpg", *shown[index])
            for place, index in enumerate(rng.permutation(len(shown)))]  # fmt: skip


def files(seed: int) -> Files:
    """The set, drawn from the seed."""
    shots = album(seed)
    for shot in shots:
        drawn = portrait(shot.person, shot.look, _ALIGNED)
        yield f"img_align_celeba/{shot.file}", encode_jpeg(drawn)
    yield "identity_CelebA.txt", identities(seed)
    rows = [f"{shot.file} " + " ".join(
        f"{1 if holds(shot.person, shot.look) else -1:2d}" for holds in ATTRIBUTES.values()
    ) for shot in shots]  # fmt: skip
    yield "list_attr_celeba.txt", text([str(len(shots)), " ".join(ATTRIBUTES), *rows])


def identities(seed: int) -> bytes:
    """identity_CelebA.txt: a line a picture, its file and its identity's number."""
    return text(f"{shot.file} {shot.identity}" for shot in album(seed))


def _has_hair(person: Person, name: str) -> bool:
    return person.style != "bald" and person.hair_name == name
