"""Invented persons to be drawn: who they are, and how each is seen in a picture."""

from dataclasses import dataclass

from instruct_imagen_data.planted.draws import between, generator, spread
from instruct_imagen_data.planted.patterns import Colour

_SKINS = "f6d7c3 f0c3a0 dfa67c c58658 9c6540 6e4630"
_HAIRS = {"black": "26211f", "brown": "6b4226", "blond": "dfb25c", "gray": "a9a7a8",
          "red": "b0502a"}  # fmt: skip
_EYES = "5b3a1e 3f7f4f 3a78b5 7a5a2a 4a5568 2f9095"
_SHIRTS = "c8553d 2a6f97 6a994e 7b2d5e e9c46a 3d405b d62839 5fa8a0 f28482 8e9aaf f4f1ea 274060"
_MEN = ("short", "bald", "side", "spiky", "curly")
_WOMEN = ("long", "bob", "bun", "ponytail", "waves")
_BEARDS = ("none", "full", "none", "moustache", "stubble")
_EXPRESSIONS = ("smile", "grin", "calm", "laugh", "surprise", "smirk")

PERSONS = len(_MEN) + len(_WOMEN)


@dataclass(frozen=True)
class Person:
    """An identity: what stays from picture to picture.

    Attributes:
        male: As an attribute list has it.
        young: False with grey hair and lines in the face.
        skin: Its light tone; shadows and lines are made from it.
        hair: Its colour.
        hair_name: black, brown, blond, gray or red.
        eyes: Colour of the iris.
        style: The hair's cut.
        beard: none, stubble, moustache or full.
        freckled: Whether there are freckles.
        shape: Eight draws from [0, 1): widths, chin, eyes, brows, nose, mouth.
    """

    male: bool
    young: bool
    skin: Colour
    hair: Colour
    hair_name: str
    eyes: Colour
    style: str
    beard: str
    freckled: bool
    shape: tuple[float, ...]


@dataclass(frozen=True)
class Look:
    """One picture of a person: what changes.

    Attributes:
        expression: smile, grin, calm, laugh, surprise or smirk.
        turn: To the side, in radians; the head turns right in the picture where it is positive.
        tilt: To a shoulder, in radians.
        side: Where the light stands: -1 left, 1 right.
        warmth: Of the light, -1 blue to 1 yellow.
        glasses: round, square or none.
        hat: beanie, cap, straw or none.
        shirt: Its colour.
        backdrop: Two colours behind the person, and which pattern they make: 0 to 3.
    """

    expression: str
    turn: float
    tilt: float
    side: float
    warmth: float
    glasses: str
    hat: str
    shirt: Colour
    backdrop: tuple[Colour, Colour, int]

    @property
    def smiling(self) -> bool:
        return self.expression in ("smile", "grin", "laugh", "smirk")

    @property
    def open_mouth(self) -> bool:
        return self.expression in ("grin", "laugh", "surprise")


def _colours(text: str) -> list[Colour]:
    parts = [[int(word[i : i + 2], 16) / 255 for i in (0, 2, 4)] for word in text.split()]
    return [(red, green, blue) for red, green, blue in parts]


def persons(seed: int) -> list[Person]:
    """PERSONS persons, men and women in turn, no two of one cut of hair."""
    rng = generator("persons", seed)
    cuts = {True: rng.permutation(_MEN).tolist(), False: rng.permutation(_WOMEN).tolist()}
    beards, skins = rng.permutation(_BEARDS).tolist(), rng.permutation(_colours(_SKINS)).tolist()
    hairs, eyes = rng.permutation(list(_HAIRS)).tolist(), rng.permutation(_colours(_EYES)).tolist()
    drawn = []
    for number in range(PERSONS):
        male, turn = number % 2 == 0, number // 2
        hair_name = hairs[(turn + 2 * male) % len(hairs)]
        red, green, blue = skins[(number * 5 + turn) % len(skins)]
        iris = eyes[(number + 2 * turn) % len(eyes)]
        drawn.append(Person(
            male, hair_name != "gray", (red, green, blue), _colours(_HAIRS[hair_name])[0],
            hair_name, (iris[0], iris[1], iris[2]), cuts[male][turn],
            beards[turn] if male else "none", bool(rng.random() < 0.3),
            tuple(rng.random(8).tolist()),
        ))  # fmt: skip
    return drawn


def looks(seed: int, number: int, count: int) -> list[Look]:
    """So many pictures of the number-th person, each of another expression."""
    rng = generator("looks", seed, number)
    expressions = rng.permutation(_EXPRESSIONS).tolist()
    shirts, found = rng.permutation(_colours(_SHIRTS)).tolist(), []
    dressed = int(rng.integers(count))  # of every identity one picture has glasses, the next a hat
    for index in range(count):
        u = spread(index, 5, "look", seed, number)
        glasses = ("round", "square")[int(rng.integers(2))]
        hat = ("beanie", "cap", "straw")[int(rng.integers(3))]
        first, second, shirt = (shirts[(3 * index + k) % len(shirts)] for k in range(3))
        found.append(Look(
            expressions[index % len(expressions)],
            between(u[0], -0.42, 0.42), between(u[1], -0.12, 0.12),
            -1.0 if u[2] < 0.5 else 1.0, between(u[3], -0.8, 1.0),
            glasses if index == dressed else "none",
            hat if index == (dressed + 1) % count else "none",
            (shirt[0], shirt[1], shirt[2]),
            ((first[0], first[1], first[2]), (second[0], second[1], second[2]), int(u[4] * 4)),
        ))  # fmt: skip
    return found
