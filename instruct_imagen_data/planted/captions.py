"""Alt texts as the web has them: some say what is there, some sell, some are file names."""

from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.world import Entity

_COLOURS = {
    "black": (0.1, 0.1, 0.1), "white": (0.95, 0.95, 0.93), "grey": (0.55, 0.55, 0.56),
    "red": (0.82, 0.16, 0.16), "orange": (0.93, 0.52, 0.16), "yellow": (0.93, 0.80, 0.25),
    "green": (0.35, 0.60, 0.30), "teal": (0.25, 0.60, 0.58), "blue": (0.18, 0.42, 0.70),
    "purple": (0.48, 0.26, 0.60), "pink": (0.93, 0.60, 0.68), "brown": (0.46, 0.30, 0.18),
    "beige": (0.87, 0.78, 0.62),
}  # fmt: skip
_PATTERN = {"bands": "striped", "stripes": "striped", "dots": "spotted", "checks": "checked",
            "patches": "patchy", "speckle": "speckled"}  # fmt: skip
_ADJECTIVES = {
    "animals": ("cute", "wild", "young", "lovely", "curious"),
    "products": ("handmade", "vintage", "modern", "new", "classic"),
    "scenery": ("beautiful", "quiet", "breathtaking", "remote", "misty"),
    "art": ("original", "signed", "small", "framed", "expressive"),
    "food": ("homemade", "delicious", "fresh", "tasty", "easy"),
    "vehicles": ("old", "fast", "restored", "classic", "little"),
    "buildings": ("historic", "old", "famous", "restored", "charming"),
}
_PLACES = {
    "animals": ("in the garden", "in the wild", "at the park", "on a walk", "close up"),
    "products": ("for your home", "- free shipping", "gift idea", "on sale now", "in our shop"),
    "scenery": ("at dawn", "from the trail", "in autumn light", "travel photo", "wallpaper"),
    "art": ("on canvas", "wall art print", "by a local artist", "for sale", "in the gallery"),
    "food": ("recipe", "for dinner", "with friends", "at our cafe", "step by step"),
    "vehicles": ("on the move", "for sale", "on tour", "side view", "at the weekend"),
    "buildings": (
        "in the old town", "seen from the street", "real estate", "visitor guide", "on a sunny day",
    ),
}  # fmt: skip
_SITES = ("Pinterest", "Etsy", "Flickr", "Best of 2019", "Stock Photo", "Blog", "HD", "Shop")


def colour_word(colour: tuple[float, float, float]) -> str:
    """The nearest plain colour name."""
    return min(
        _COLOURS,
        key=lambda name: sum((a - b) ** 2 for a, b in zip(colour, _COLOURS[name], strict=True)),
    )


def look(entity: Entity) -> str:
    """An object's colour and, where it has one, its pattern: "blue striped"."""
    colour = colour_word(entity.colours[0])
    return f"{colour} {_PATTERN[entity.pattern]}" if entity.pattern in _PATTERN else colour


def caption(entity: Entity, view_index: int, seed: int) -> str:
    """A noisy alt text for one picture of the entity; it nearly always names the noun."""
    rng = generator("caption", seed, entity.name, entity.noun, view_index)

    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    noun, seen = entity.noun, look(entity)
    if entity.domain in ("scenery", "art"):
        seen = pick(_ADJECTIVES[entity.domain])
    adjective, place = pick(_ADJECTIVES[entity.domain]), pick(_PLACES[entity.domain])
    article = "an" if adjective[0] in "aeiou" else "a"
    number = int(rng.integers(100, 9999))
    forms = (
        f"{seen} {noun} {place}",
        f"{article} {adjective} {seen} {noun}",
        f"{entity.name} the {noun} {place}"
        if entity.domain == "animals"
        else f"{entity.name} {noun} {place}",
        f"photo of {entity.name} - {adjective} {seen} {noun}",
        f"{adjective.title()} {noun.title()} {place} | {pick(_SITES)}",
        f"{entity.name.upper()} {noun.upper()} #{number}",
        f"{noun.replace(' ', '_')}_{entity.name.lower()}_{number}.jpg",
        f"{noun}, {seen}, {adjective}, {entity.name}",
        f"My {adjective} {noun} &amp; more {place}...",
        f"{adjective} {noun} {place}",
        f"DSC_{number}",
    )
    # Ten of eleven forms name the noun; bare camera names are rare.
    weights = [3, 3, 3, 2, 2, 1, 1.5, 2, 1, 2, 0.5]
    total = sum(weights)
    return forms[int(rng.choice(len(forms), p=[weight / total for weight in weights]))]


_REJECT_FORMS: dict[str, tuple[str, ...]] = {
    "banner": ("Advertisement", "Big sale - up to 70% off", "banner ad {n}", "Shop our offers"),
    "screenshot": (
        "Screenshot_{n}", "screenshot of the settings page", "app dashboard", "Screen Shot {n}",
    ),
    "text": ("quote of the day", "page {n} of the report", "meeting notes", "scanned document {n}"),
}  # fmt: skip


def reject_caption(kind: str, index: int, seed: int) -> str:
    """An alt text for the index-th page of a reject class."""
    rng = generator("caption", seed, kind, index)
    forms = _REJECT_FORMS[kind]
    return forms[int(rng.integers(len(forms)))].format(n=int(rng.integers(10, 9999)))
