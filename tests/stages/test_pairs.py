"""Which contents a style is paired with: by content alone, not by how the corpus is cut."""

from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest

from instruct_imagen_data import keys, runs, schema, shards
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.sources import layouts
from instruct_imagen_data.sources.layouts import Source
from instruct_imagen_data.sources.listing import Group, Picture
from instruct_imagen_data.stages.kept import Corpus, open_corpus
from instruct_imagen_data.stages.pairs import DrawPairs, Pairing, draw


def style(name: str) -> Group:
    return Group(name, (Picture(name, 1),))


@pytest.mark.parametrize(("contents", "wanted"), [(100, 7), (8, 7), (1000, 1), (100_000, 40)])
def test_draws(contents: int, wanted: int) -> None:
    """The first different numbers of a sequence of hashes."""
    for name in ("Pop/a_b.jpg", "Pop/c_d.jpg"):
        found = draw(style(name), contents, wanted, "styled")
        sequence = [keys.draw64(name, f"styled/{i}") % contents for i in range(4 * wanted)]
        assert found == list(dict.fromkeys(sequence))[:wanted]
        assert len(set(found)) == len(found)
    others = [draw(style("Pop/e_f.jpg"), contents, wanted, salt) for salt in ("styled", "other")]
    if contents > 100:
        assert others[0] != others[1] != found


@pytest.mark.parametrize("contents", [0, 1, 6, 7])
def test_few_contents_are_all_used(contents: int) -> None:
    assert draw(style("Pop/a_b.jpg"), contents, 7, "styled") == list(range(contents))


def cut(corpus: Corpus, folder: Path, rows: int) -> Corpus:
    """The same rows and verdicts in parts of so many rows."""
    names = list(corpus.parts)
    images = pa.concat_tables(
        [shards.read_part(corpus.folder, "images", part, schema.Image) for part in names]
    )
    verdicts = pa.concat_tables(
        [shards.read_part(corpus.neighbourhoods, "verdicts", part, schema.Verdict)
         for part in names]
    )  # fmt: skip
    parts = {}
    for number, first in enumerate(range(0, images.num_rows, rows)):
        part = f"00000-{number:03d}"
        for dataset, table in (("images", images), ("verdicts", verdicts)):
            shards.write_part(str(folder), dataset, part, table.slice(first, rows))
        parts[part] = min(rows, images.num_rows - first)
    return Corpus(str(folder), str(folder), parts, "")


def pairs_of(pairing: Pairing) -> Iterator[tuple[str, int, str, str, str]]:
    """(style, number, part, split, key of the content) of each pair that was written."""
    for part, ref in runs.references(pairing.folder, "pairs"):
        table = runs.read_batches(pairing.folder, [ref])
        images = shards.read_part(pairing.corpus.folder, "images", part, schema.Image, ["key"])
        known = images["key"].to_pylist()
        assert table["row"].to_pylist() == sorted(table["row"].to_pylist())
        blocks = list(pairing.blocks().values())
        names = [group.name for group in pairing.styles.listing().groups]
        for row in table.to_pylist():
            assert names.index(row["group"]) in blocks[row["block"]]
            yield row["group"], row["number"], part, row["split"], known[row["row"]]


def test_the_same_pairs_however_the_corpus_is_cut(
    finished_corpus: Path, finished_neighbourhoods: Path, source_sets: Path, tmp_path: Path
) -> None:
    whole = open_corpus(str(finished_corpus))
    styles = Source("paintings", str(source_sets / "paintings"), "", (("validation_share", 0.3),))
    found = []
    for number, corpus in enumerate([whole, cut(whole, tmp_path / "a", 37)]):
        pairing = Pairing(corpus, styles, "styled", 9, str(tmp_path / f"pairs{number}"))
        with beam.Pipeline() as pipeline:
            pipeline | DrawPairs(pairing)  # type: ignore[operator]
        pairs = list(pairs_of(pairing))
        manifest = shards.read_json(pairing.folder, shards.MANIFEST) or {}
        assert manifest["pairs"] == len(pairs)
        found.append({(name, n): (split, key) for name, n, _, split, key in pairs})
        assert len(found[-1]) == len(pairs)
        assert len({part for _, _, part, _, _ in pairs}) > 2
    assert found[0] == found[1]
    # Only kept pictures, each once for a style, and none of the other split.
    verdicts = {
        row["key"]: row["split"]
        for part in whole.parts
        for row in shards.read_part(
            whole.neighbourhoods, "verdicts", part, schema.Verdict
        ).to_pylist()
        if row["kept"]
    }
    split_of = {group.name: group.split for group in styles.listing().groups}
    contents: dict[str, list[str]] = {name: [] for name in split_of}
    for (name, _), (split, key) in found[0].items():
        assert verdicts[key] == split == split_of[name]
        contents[name].append(key)
    there = {split: list(verdicts.values()).count(split) for split in ("train", "validation")}
    for name, several in contents.items():
        assert len(set(several)) == len(several) == min(9, there[split_of[name]])


def test_styles_that_changed_meanwhile(
    finished_corpus: Path, finished_neighbourhoods: Path, tmp_path: Path
) -> None:
    (tmp_path / "Pop").mkdir()
    (tmp_path / "Pop" / "a_b.jpg").write_bytes(b"1")
    source = Source("paintings", str(tmp_path))
    corpus = open_corpus(str(finished_corpus))
    pairing = Pairing(corpus, source, "styled", 2, str(tmp_path / "pairs"))
    digest = source.listing().digest
    (tmp_path / "Pop" / "c_d.jpg").write_bytes(b"1")
    layouts._listing.cache_clear()
    with pytest.raises(UsageError, match="has changed since the job was started"):
        DrawPairs(pairing).write([], digest)
    assert not (tmp_path / "pairs").exists()
