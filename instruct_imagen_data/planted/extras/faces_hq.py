"""Some of the drawn faces again, larger, in the layout of CelebA-HQ and CelebAMask-HQ.

`CelebA-HQ-img/0.jpg` ...; CelebA-HQ-to-CelebA-mapping.txt ("idx orig_idx orig_file", then
"0 119612 119613.jpg": the index counts from 0, the files of `faces` from 1);
identity_CelebA.txt, that of `faces`.
"""

from instruct_imagen_data.images import encode_jpeg
from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.extras.faces import Shot, album, identities
from instruct_imagen_data.planted.extras.files import Files, text
from instruct_imagen_data.planted.extras.portrait import Format, portrait

_LARGE = Format(384, 384, (192.0, 208.0), 122.0)
_PERSONS, _EACH = 6, 3

PICTURES = _PERSONS * _EACH


def files(seed: int) -> Files:
    """The set, drawn from the seed."""
    rows = ["idx orig_idx orig_file"]
    for number, shot in enumerate(_chosen(seed)):
        yield f"CelebA-HQ-img/{number}.jpg", encode_jpeg(portrait(shot.person, shot.look, _LARGE))
        rows.append(f"{number} {int(shot.file[:6]) - 1} {shot.file}")
    yield "CelebA-HQ-to-CelebA-mapping.txt", text(rows)
    yield "identity_CelebA.txt", identities(seed)


def _chosen(seed: int) -> list[Shot]:
    """_EACH pictures of _PERSONS persons, mixed."""
    rng = generator("hq", seed)
    of: dict[int, list[Shot]] = {}
    for shot in album(seed):
        of.setdefault(shot.identity, []).append(shot)
    persons = [of[number] for number in sorted(of)]
    shots = [shot for index in rng.permutation(len(persons))[:_PERSONS]
             for shot in persons[index][:_EACH]]  # fmt: skip
    return [shots[index] for index in rng.permutation(len(shots))]
