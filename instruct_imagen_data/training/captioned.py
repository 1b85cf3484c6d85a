"""Makes what `tiny_backbone` learns from: pictures with captions, and no reference anywhere.

`python -m instruct_imagen_data.training.captioned --output WORK/captioned` renders planted scenes,
paintings and faces of seeds of their own, small, and writes them as `instruct` would write the
dataset `natural`: a folder that `instruct-imagen train --stage 2` reads.
"""

import dataclasses
import logging
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from instruct_imagen_data import (
    command_line,
    images,
    instructions,
    keys,
    mixture,
    planted,
    schema,
    shards,
    storage,
    tasks,
    templates,
)
from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.extras.individuals import described, placed, with_article
from instruct_imagen_data.planted.extras.persons import Look, Person, looks, persons
from instruct_imagen_data.planted.extras.portrait import Format, portrait
from instruct_imagen_data.planted.extras.styles import STYLES, Motif
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.schema import Encoded, Example

_LOG = logging.getLogger(__name__)

DATASET = "natural"
_HELD_OUT = 0.04  # share of the pictures that the score is measured on
_FACE = Format(78, 64, (32.0, 42.0), 19.0)  # a CelebA picture, a good third as large
_SEEN = 6  # pictures of each person

Pixels = NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Options:
    """Renders captioned pictures of planted worlds into a folder that stage 2 trains on.

    Attributes:
        output: Folder to fill.
        seed: Of the first world; the others follow. Other ones than those of a corpus that the
            network is to be tried on.
        worlds: How many.
        per_noun: Individuals of each noun of a world.
        views: Pictures of each individual.
        paintings: Paintings by each painter of a world.
        side: Shorter side of the pictures, in pixels.
    """

    output: str
    seed: int = 30001
    worlds: int = 5
    per_noun: int = 4
    views: int = 5
    paintings: int = 6
    side: int = 64


def scenes(seed: int, options: Options) -> Iterator[tuple[str, Pixels]]:
    """Individuals of all nouns: half with what the web says of them, half plainly described."""
    for entity in planted.entities(seed, options.per_noun):
        for view in range(options.views):
            plain = keys.unit(f"{seed}/{entity.name}/{view}", "captioned") < 0.5
            caption = with_article(described(entity, view)) if plain else ""
            rgb = planted.render(entity, view, seed, options.side).rgb
            yield caption or planted.caption(entity, view, seed), rgb


def paintings(seed: int, options: Options) -> Iterator[tuple[str, Pixels]]:
    """Paintings in all styles and palettes: of what, and in which style."""
    drawn = [one for one in planted.entities(seed + 1, 1) if one.domain != "art"]
    for style, (paint, palettes) in sorted(STYLES.items()):
        for painter, words in enumerate(palettes):
            stops = [[int(one[i : i + 2], 16) / 255 for i in (0, 2, 4)] for one in words.split()]
            for number in range(options.paintings):
                rng = generator("captioned", seed, style, painter, number)
                entity = drawn[int(rng.integers(len(drawn)))]
                view = planted.render(entity, number, seed, options.side)
                motif = Motif.of(rng, view, solid=entity.domain != "scenery")
                rgb = paint(motif, f32(stops), (painter + 0.5) / len(palettes))
                shown = np.asarray(np.clip(rgb, 0, 1) * 255 + 0.5, np.uint8)
                yield f"{placed(entity, number)}, {style.replace('_', ' ')} painting", shown


def faces(seed: int) -> Iterator[tuple[str, Pixels]]:
    """Persons, each seen a few times."""
    for number, person in enumerate(persons(seed)):
        for look in looks(seed, number, _SEEN):
            yield _told(person, look), portrait(person, look, _FACE)


def _told(person: Person, look: Look) -> str:
    """ "a smiling young man with brown hair" """
    age = "young" if person.young else "old"
    smiling = "smiling " if look.smiling else ""
    hair = "" if person.style == "bald" else f" with {person.hair_name} hair"
    return f"a {smiling}{age} {'man' if person.male else 'woman'}{hair}"


def example(caption: str, rgb: Pixels, template: templates.Template) -> Example:
    """A row of the dataset, without any reference."""
    picture = images.encode_jpeg(rgb)
    key = keys.pair_key("", caption, picture)
    payload = instructions.render(template.text, templates.values_of(caption, (), {})).payload
    split = "validation" if keys.unit(key, "captioned/split") < _HELD_OUT else "train"
    return Example(
        key=key,
        task=tasks.DATASETS[DATASET].task,
        dataset=DATASET,
        instruction=payload,
        template_id=template.id,
        caption=caption,
        image=Encoded(picture, f"{key[:16]}.jpg"),
        width=rgb.shape[1],
        height=rgb.shape[0],
        references=(),
        slots=(),
        checks=(),
        licence="",
        sources=(key,),
        split=split,
    )


def make(options: Options) -> int:
    """Renders and writes a part for each seed; 0."""
    plain = templates.read(templates.path_of(DATASET)).usable("train", {"caption"})[0]
    folder = storage.join(options.output, DATASET)
    parts, trained = [], 0
    for seed in range(options.seed, options.seed + options.worlds):
        shown = (*scenes(seed, options), *paintings(seed, options), *faces(seed))
        rows = [example(caption, rgb, plain) for caption, rgb in shown]
        shards.write_part(options.output, DATASET, str(seed), schema.table_of(Example, rows))
        parts.append({"part": str(seed), "rows": {DATASET: len(rows)}})
        trained += sum(one.split == "train" for one in rows)
        _LOG.info("seed %d: %d pictures", seed, len(rows))
    shards.write_json(
        folder, shards.MANIFEST, {"job": "instruct", "dataset": DATASET, "parts": parts}
    )
    text = mixture.write(mixture.of_rows({DATASET: trained}))
    storage.write_bytes(storage.join(options.output, mixture.FILE), text.encode())
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(command_line.run("captioned", Options, make, sys.argv[1:]))
