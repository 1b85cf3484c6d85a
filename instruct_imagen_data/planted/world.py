"""The planted world: its domains and nouns, and the entities that a seed draws."""

import colorsys
from dataclasses import dataclass

import numpy as np

from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.patterns import Colour

NOUNS: dict[str, tuple[str, ...]] = {
    "animals": ("cat", "dog", "bird", "fish", "turtle", "rabbit", "elephant", "butterfly"),
    "products": ("teapot", "vase", "chair", "lamp", "mug", "clock", "backpack", "bottle"),
    "scenery": (
        "mountain lake", "desert", "sunset sea", "forest", "waterfall", "canyon", "snowy hills",
        "lavender field",
    ),
    "art": (
        "still life", "abstract painting", "oil seascape", "watercolour flowers", "ink mountains",
        "mosaic", "pointillist garden",
    ),
    "food": ("pizza", "cake", "burger", "doughnut", "apple", "ice cream", "sushi"),
    "vehicles": ("car", "bus", "bicycle", "sailboat", "airplane", "hot air balloon", "train"),
    "buildings": ("house", "church", "castle", "lighthouse", "skyscraper", "windmill"),
}  # fmt: skip
DOMAINS: tuple[str, ...] = tuple(NOUNS)
REJECT_CLASSES: tuple[str, ...] = ("banner", "screenshot", "text")
DOMAIN_OF: dict[str, str] = {noun: domain for domain, nouns in NOUNS.items() for noun in nouns}

# Three colours a palette: main, second, accent. An entity takes one and shifts it a little.
_WARES = (
    "c8553d f2d0a9 588b8b", "2a6f97 e9f1f7 f4a261", "e9c46a 264653 e76f51", "6a994e f2e8cf bc4749",
    "7b2d5e f3d9e5 e0a458", "f5efe6 b5838d 6d6875", "3d405b f4f1de e07a5f", "d62839 fbe9e7 2b2d42",
    "5fa8a0 fefae0 d4a373", "f28482 f6f0e8 84a59d", "274060 a3bac3 f2b134", "8e9aaf fefcfb cb997e",
)  # fmt: skip
_PALETTES: dict[str, tuple[str, ...]] = {
    "cat": ("d9853b 7d4318 f7e7d0", "8c8c94 4a4a52 f4f4f4", "2e2a2a 4d4642 e8e8e8",
            "efe3d0 a57c54 ffffff", "b78a5e 5b3e27 f3e2c8"),
    "dog": ("8a5a2b 4e3015 efe0c8", "e8d7b5 a9855a ffffff", "3a2c24 7a5236 e0c9a6",
            "c9955c f4ead8 5a3a20", "f2eee6 2f2b28 a97b50"),
    "bird": ("2f7fc1 f3a33c f7f3e3", "d1342f 3b2a2a f5d7a1", "f0c330 3d8b52 ffffff",
             "3a9d6a f25c54 f4e285", "6a4c93 ff924c ffe9d6"),
    "fish": ("f07f23 fdf3e3 2b2b2b", "e8c22e 2d6fb3 ffffff", "d94f70 f8d3c4 58398a",
             "2b9eb3 f8e16c e4572e", "f25f3a 7a1f3d ffd9a0"),
    "turtle": ("4f7a3a 8fae5d c9b98a", "6b6b2f b6a24a d9cf9f", "3d6b58 7fb08a bcc79a",
               "7a5a32 b98d4f a9b36b"),
    "rabbit": ("f3eee8 d8c8b8 f0b8b8", "b39374 e9dcc9 e7a9a0", "8d8d93 e3e3e6 e8b4b4",
               "6f4f38 d8bfa3 e2a497", "d8b98c f7efe0 eab0a6"),
    "elephant": ("8d8f99 b9b2b2 f6f0dd", "77797f a39a96 f3ead2", "9a8f86 c4b3aa f7f0e0",
                 "6f7c8a a2a8b0 f4edda"),
    "butterfly": ("f08a1d 2a2020 fff1c9", "2f6fd0 14213d bde0fe", "e5383b 3a0f12 ffe1a8",
                  "8f4fc4 2b1740 f3c4fb", "f2d13a 4a3b10 fffbe0", "2fae8f 10302a d8f3dc"),
    "pizza": ("d99a4e d8402a f6d982", "cf8f45 b92b20 f9e3a2", "e0a75c e0563a f4cf74"),
    "cake": ("f7e6ee d6336c 7a4a2b", "6b3f26 f4d9b8 d62828", "fff4dc f2a65a 5a7d3c",
             "dcecf7 4d7ea8 e06c75", "f9c8d4 ffffff 9d4edd"),
    "burger": ("c98036 7a3f1d 6aa84f", "d99547 6b3517 8bc34a", "b96f2e 5d2e15 4f9d45"),
    "doughnut": ("f08fb5 c98a4b fff1b8", "5b3320 d19a5b f4e3d0", "f6f0e4 c68642 7ac7d0",
                 "8fd3c8 cc9150 ff6f91", "b57edc d09a5c fff0a5"),
    "apple": ("c9252d f0c64a 5d3a1a", "7fb53c e8e27a 5d3a1a", "e0b52e d94a32 5d3a1a",
              "a51c30 e8785a 4b2e17"),
    "ice cream": ("f7a8c0 fff3dc d29a57", "8a5a3b fbe8d3 cf9450", "a8dcc0 f4a6b8 d8a25f",
                  "fff1b5 e76f7d c98d4a", "b8a0e0 fdf0d5 d49c58"),
    "sushi": ("f28c5b f8f6f0 1f2b24", "e2543f fbfaf5 20302a", "f5c84c f6f4ec 1c2620",
              "f0a38a faf8f2 24302b"),
    "house": ("f0e6d2 b5523b 4d7ea8", "c9d8c5 5a5f66 b5523b", "e9c9a0 7a4a3a 3f6f5f",
              "d98f7a 4a4a55 f4f1e8", "a9c4d6 8a3f33 f4f1e8"),
    "church": ("f4f1ea 6a6f7d b08d57", "d8cbb3 8a4434 5c7f94", "c2a48a 4a5a60 d9b44a"),
    "castle": ("a8a296 5f5a54 b33a3a", "c7b08a 7d6546 3f6fa8", "8f949c 575c66 d9a531",
               "b59a8c 6d5148 4f8a5f"),
    "lighthouse": ("f7f4ee d13a34 2e3a48", "f4f1e8 2f6690 d9a531", "f5efe0 2d2d2d c8553d",
                   "fbf5e6 3a7d5a c44536"),
    "skyscraper": ("5d7d99 bcd7e8 c9a45c", "3f4f5f f2d99a 9fb4c4", "8a6f5c e8d8bc 5f8aa8",
                   "6f8f8a d8efe8 d98a4a", "4a5a82 cfdcf4 e0e0e0"),
    "windmill": ("f2e8d5 7a4a2e b3392f", "8a4f3a e9dcc0 f2f2f2", "d9cfc0 3f5a6b e0a458",
                 "6b4a36 c9a878 f4efe4"),
}  # fmt: skip
_PATTERNS: dict[str, tuple[str, ...]] = {
    "animals": ("plain", "stripes", "patches", "speckle"),
    "products": ("plain", "bands", "dots", "checks", "stripes", "speckle"),
    "vehicles": ("plain", "bands", "plain", "checks"),
    "buildings": ("plain", "bricks", "planks"),
}
_SYLLABLES = (  # noqa: SIM905 (easier to read as a line)
    "ba be bo da do el fa fi ga go ha io ja ka ki la le lo ma mi mo na ne no or pa po "
    "ra ri ro sa se so ta ti to ul va vi vo wa ya za ze"
).split()


@dataclass(frozen=True)
class Entity:
    """One individual of the planted web, seen in several pictures.

    Attributes:
        name: A made-up word, unique within a seed.
        noun: What it is: its topic.
        domain: The noun's domain.
        colours: Main, second and accent colour, sRGB from 0 to 1.
        pattern: Surface pattern, a name of `patterns.MIXES`.
        shape: Eight draws from [0, 1) that each model reads as its proportions and extras.
    """

    name: str
    noun: str
    domain: str
    colours: tuple[Colour, Colour, Colour]
    pattern: str
    shape: tuple[float, ...]


def entities(seed: int, per_noun: int) -> list[Entity]:
    """per_noun entities of every noun, noun by noun; other seeds draw other individuals."""
    taken: set[str] = set()
    drawn = []
    for domain, nouns in NOUNS.items():
        for noun in nouns:
            for number in range(per_noun):
                entity = _entity(seed, domain, noun, number, taken)
                taken.add(entity.name)
                drawn.append(entity)
    return drawn


def _entity(seed: int, domain: str, noun: str, number: int, taken: set[str]) -> Entity:
    rng = generator("entity", seed, noun, number)
    palettes = _PALETTES.get(noun, _WARES)
    # The palettes go round, so that the first few entities of a noun differ in colour.
    start = int(generator("palette", seed, noun).integers(len(palettes)))
    palette = palettes[(start + number) % len(palettes)].split()
    shift = rng.uniform(-1, 1, 3)
    colours = tuple(_shifted(_rgb(text), *shift) for text in palette)
    patterns = _PATTERNS.get(domain, ("plain",))
    pattern = patterns[int(rng.integers(len(patterns)))]
    shape = tuple(float(x) for x in rng.random(8))
    name = made_up(rng, taken)
    return Entity(name, noun, domain, (colours[0], colours[1], colours[2]), pattern, shape)


def made_up(rng: np.random.Generator, taken: set[str]) -> str:
    """A name that nothing taken has, of two to four syllables."""
    while True:
        parts = rng.choice(len(_SYLLABLES), int(rng.integers(2, 5)))
        name = "".join(_SYLLABLES[i] for i in parts).capitalize()
        if len(name) > 3 and name not in taken:
            return name


def _rgb(text: str) -> Colour:
    """'c8553d' as three numbers from 0 to 1."""
    red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def _shifted(colour: Colour, hue: float, saturation: float, value: float) -> Colour:
    h, s, v = colorsys.rgb_to_hsv(*colour)
    s = min(max(s * (1 + 0.18 * saturation), 0), 1)
    v = min(max(v * (1 + 0.10 * value), 0), 1)
    return colorsys.hsv_to_rgb((h + 0.025 * hue) % 1, s, v)
