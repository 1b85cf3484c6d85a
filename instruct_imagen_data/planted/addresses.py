"""Where a planted picture was found: made-up sites (all under the reserved .example) and paths."""

import numpy as np

from instruct_imagen_data.planted.world import Entity

Rng = np.random.Generator

_SITES: dict[str, tuple[str, ...]] = {
    "animals": ("www.paw-and-feather.example", "img.wildwalks.example", "petdiary.example"),
    "products": ("cdn.oakleaf-shop.example", "www.homewares.example", "static.teahouse.example"),
    "scenery": ("www.farhorizons.example", "photos.trailbook.example", "wallpapers.example"),
    "art": ("www.gallery-nine.example", "prints.canvasroom.example", "artfair.example"),
    "food": ("www.kitchen-notes.example", "cdn.recipebox.example", "cafe-lune.example"),
    "vehicles": ("www.wheelspotters.example", "img.timetable.example", "garage42.example"),
    "buildings": ("www.stone-and-brick.example", "img.cityguide.example", "estates.example"),
}
_ELSEWHERE = (
    "i.pinned.example", "cdn.reposted.example", "www.bestof.example", "media.aggregator.example",
    "images.mirror-one.example",
)  # fmt: skip
_ADVERTS = ("ads.clickstream.example", "banners.adserve.example", "static.promo.example")
_SECTIONS = ("photos", "media", "uploads", "gallery", "images", "wp-content/uploads")


def _of(rng: Rng, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def entity_url(entity: Entity, rng: Rng, number: int, extension: str) -> str:
    """The address of a picture of the entity; `number` keeps addresses apart."""
    slug = f"{entity.noun.replace(' ', '-')}-{entity.name.lower()}-{number}"
    section, year = _of(rng, _SECTIONS), int(rng.integers(2009, 2023))
    query = ("", "", "", "?w=800", "?v=3")[int(rng.integers(5))]
    site = _of(rng, _SITES[entity.domain])
    return f"https://{site}/{section}/{year}/{slug}.{extension}{query}"


def same_file_name(entity: Entity, rng: Rng, number: int) -> str:
    """An address whose file name says nothing: many different pictures of a site share it."""
    return f"https://{_SITES[entity.domain][0]}/{_of(rng, _SECTIONS)}/{number:06d}/image.jpg"


def advert_url(kind: str, rng: Rng, number: int) -> str:
    """The address of a banner, screenshot or picture of text."""
    return f"https://{_of(rng, _ADVERTS)}/{kind}/{int(rng.integers(100, 999))}/{kind}_{number}.jpg"


def elsewhere(url: str, rng: Rng, number: int) -> str:
    """An address of the same file on another site."""
    name = url.rpartition("/")[2].partition("?")[0]
    return f"https://{_of(rng, _ELSEWHERE)}/{number:06d}/{name}"


def thumbnail(url: str, rng: Rng) -> str:
    """An address of the same file in another size on its own site."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    name = path.rpartition("/")[2].partition("?")[0]
    return f"{scheme}://{host}/resized/{int(rng.integers(200, 900))}px/{name}"


def spelt_otherwise(url: str, rng: Rng) -> str:
    """The same address in another spelling: scheme, letter case of the host, fragment, tracking."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    joint = "&" if "?" in path else "?"
    spellings = (
        f"http://{host}/{path}",
        f"{scheme}://{host.upper()}/{path}",
        f"{url}#main",
        f"{url}{joint}utm_source=feed&utm_medium=social",
        f"http://{host.title()}/{path}{joint}utm_campaign=spring#top",
    )
    return _of(rng, spellings)
