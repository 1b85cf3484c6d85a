"""What readers make of files as people have them: every row a pair or a reject, never a crash."""

import csv
import datetime
import io
import json
import random
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.schema import RawPair, RejectRow
from instruct_imagen_data.stages import formats
from instruct_imagen_data.stages.formats import Columns, Row, rows, tables

WriteTar = Callable[..., Path]


def read(path: Path, columns: Columns = Columns()) -> list[Row]:  # noqa: B008
    formats.check_columns([str(path)], columns)
    reader = formats.READERS[formats.extension(str(path))]
    return list(reader(str(path), path.name, columns))


def pairs(found: list[Row]) -> list[tuple[str, str, str, bytes]]:
    return [(r.origin, r.url, r.caption, r.image) for r in found if isinstance(r, RawPair)]


def reasons(found: list[Row]) -> list[tuple[str, str]]:
    return [(r.origin, r.reason) for r in found if isinstance(r, RejectRow)]


# Tars


def test_a_tar_of_img2dataset(tmp_path: Path, write_tar: WriteTar) -> None:
    fields = {"url": "https://a.org/b.jpg", "caption": "from json", "license": "CC0", "n": 1}
    members = {
        "000000001.jpg": b"one",
        "000000001.txt": "a café".encode(),
        "000000001.json": json.dumps(fields).encode(),
        "000000002.json": json.dumps(fields).encode(),
        "000000002.png": b"two",
    }
    found = read(write_tar(tmp_path / "00000.tar", members))
    url = "https://a.org/b.jpg"
    assert pairs(found) == [
        ("00000.tar#000000001", url, "a café", b"one"),
        ("00000.tar#000000002", url, "from json", b"two"),  # no .txt: the JSON's caption
    ]
    assert all(row.licence == "CC0" and json.loads(row.metadata) == fields for row in found)


@pytest.mark.parametrize(("ending", "mode"), [("tar.gz", "w:gz"), ("tgz", "w:gz"), ("TAR", "w")])
def test_compressed_and_shouted_tars(
    tmp_path: Path, write_tar: WriteTar, ending: str, mode: str
) -> None:
    found = read(write_tar(tmp_path / f"a.{ending}", {"1.jpg": b"x", "1.txt": b"y"}, mode))
    assert pairs(found) == [(f"a.{ending}#1", "", "y", b"x")]


def test_odd_samples(tmp_path: Path, write_tar: WriteTar) -> None:
    members = {
        "cats/a b.jpg": b"in a folder",
        "cats/a b.txt": b"x",
        "dogs/a b.jpg": b"same name, other folder",
        "./é-1.tar-003.jpg": b"dots and dashes",
        "two.jpg": b"first",
        "two.webp": b"second",
        "two.txt": b"both",
        "bare.txt": b"no picture",
        "bad.jpg": b"z",
        "bad.json": b"{no json",
        "deep.jpg": b"z",
        "deep.json": b"[" * 100_000,
        "list.jpg": b"z",
        "list.json": b"[1, 2]",
        "nan.jpg": b"z",
        "nan.json": b'{"a": NaN}',
        "surrogate.jpg": b"z",
        "surrogate.json": b'{"caption": "half \\ud83d of it", "url": "\\udfff"}',
        "nul.jpg": b"z",
        "nul.txt": b"a\0b \xff\xfe",
        "long.jpg": b"z",
        "long.txt": b"word " * 200_000,
        "UPPER.JPG": b"z",
        "noextension": b"z",
        ".hidden": b"z",
    }
    found = read(write_tar(tmp_path / "a.tar", members))
    captions = {origin: caption for origin, _, caption, _ in pairs(found)}
    assert captions["a.tar#two"] == captions["a.tar#two.webp"] == "both"
    assert captions["a.tar#surrogate"] == "half ? of it"
    assert captions["a.tar#nul"] == "a\0b \ufffd\ufffd"
    assert len(captions["a.tar#long"]) == 1_000_000
    assert {"a.tar#cats/a b", "a.tar#dogs/a b", "a.tar#é-1", "a.tar#noextension"} < set(captions)
    assert reasons(found) == [("a.tar#bare", "missing_image")]
    metadata = {row.origin: row.metadata for row in found if isinstance(row, RawPair)}
    assert json.loads(metadata["a.tar#bad"]) == {"unreadable_json": "{no json"}
    assert json.loads(metadata["a.tar#list"]) == {"json": [1, 2]}
    pictures = [n for n in members if not n.endswith((".txt", ".json"))]
    assert len(found) == len(pictures) + 1


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo("1.jpg")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    assert read(path) == []


def test_two_tars_in_one_file(tmp_path: Path, write_tar: WriteTar) -> None:
    halves = [
        write_tar(tmp_path / f"{n}.tar", {f"{n}.jpg": b"x", f"{n}.txt": b"y"}) for n in (1, 2)
    ]
    whole = tmp_path / "whole.tar"
    whole.write_bytes(b"".join(half.read_bytes() for half in halves))
    assert [one[0] for one in pairs(read(whole))] == ["whole.tar#1", "whole.tar#2"]


@pytest.mark.parametrize("cut", [0, 10, 512, 700, 512 * 7, 512 * 7 + 40, 512 * 9, 512 * 12])
def test_a_cut_tar_says_so(tmp_path: Path, write_tar: WriteTar, cut: int) -> None:
    members = {f"{n}.{kind}": b"x" * 600 for n in range(4) for kind in ("jpg", "txt")}
    whole = write_tar(tmp_path / "whole.tar", members)
    path = tmp_path / "cut.tar"
    path.write_bytes(whole.read_bytes()[:cut])
    *whole_ones, last = read(path)
    assert pairs(whole_ones) == [
        (f"cut.tar#{n}", "", "x" * 600, b"x" * 600) for n in range(len(whole_ones))
    ]
    count = max(0, (cut - 512) // (512 * 6))  # six records a sample; the next header ends one
    assert len(whole_ones) == count
    at = count if cut >= 512 else "(end)"  # what is left of this sample may lack its caption
    assert reasons([last]) == [(f"cut.tar#{at}", "unreadable_shard")]


def test_a_broken_header_is_not_taken_for_the_end(tmp_path: Path, write_tar: WriteTar) -> None:
    members = {f"{n}.jpg": b"x" * 100 for n in range(8)}
    path = write_tar(tmp_path / "a.tar", members)
    data = bytearray(path.read_bytes())
    data[4 * 1024 : 4 * 1024 + 300] = b"?" * 300
    path.write_bytes(data)
    found = read(path)
    assert len(pairs(found)) == 3
    assert reasons(found) == [("a.tar#3", "unreadable_shard")]


def test_a_large_member_is_not_held(
    tmp_path: Path, write_tar: WriteTar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MAX_MEMBER_BYTES", 1000)
    members = {"1.jpg": b"x" * 1001, "1.txt": b"y", "2.jpg": b"x" * 600, "2.png": b"x" * 600}
    found = read(write_tar(tmp_path / "a.tar", members))
    assert [one[0] for one in pairs(found)] == ["a.tar#2"]
    assert reasons(found) == [("a.tar#1", "too_many_bytes"), ("a.tar#2.png", "too_many_bytes")]


def test_a_huge_name_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 8 << 30
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf() + bytes(2 << 20))
    assert reasons(read(path)) == [("a.tar#(end)", "unreadable_shard")]


@pytest.mark.parametrize("compressed", [False, True])
def test_hostile_tars_raise_nothing(tmp_path: Path, compressed: bool) -> None:
    """Bytes changed at random, headers first: rows and rejects come out, and it ends."""
    draw = random.Random(5)
    path = tmp_path / "a.tar"
    for number in range(150):
        sink = io.BytesIO()
        with tarfile.open(
            fileobj=sink,
            mode="w:gz" if compressed else "w",
            format=draw.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
        ) as tar:
            for name in ("a" * 120 + ".jpg", "b.jpg", "ü.txt"):
                member = tarfile.TarInfo(name)
                member.size = draw.randrange(700)
                tar.addfile(member, io.BytesIO(bytes(member.size)))
        data = bytearray(sink.getvalue())
        for _ in range(draw.choice([1, 3, 30])):
            place = draw.randrange(len(data))
            data[place] = draw.choice(
                [0, 255, 128, ord("7"), ord("S"), ord("x"), draw.randrange(256)]
            )
        if number % 3 and not compressed:  # repair the checksums, so that the damage is read
            for start in range(0, len(data) - 511, 512):
                total = 256 + sum(data[start : start + 148]) + sum(data[start + 156 : start + 512])
                data[start + 148 : start + 156] = b"%06o\0 " % total
        path.write_bytes(data)
        assert all(isinstance(row, RawPair | RejectRow) for row in read(path))


# Parquet


def write_parquet(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


IMAGES = [b"one", None, b"three"]
STRUCTS = [
    {"bytes": b"one", "path": "1.jpg"},
    {"bytes": None, "path": "2.jpg"},
    {"bytes": b"three"},
]


@pytest.mark.parametrize(
    "image",
    [
        pa.array(IMAGES, pa.binary()),
        pa.array(IMAGES, pa.large_binary()),
        pa.array(IMAGES, pa.binary()).dictionary_encode(),
        pa.array(STRUCTS, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        pa.array([STRUCTS[0], None, STRUCTS[2]], pa.struct([("bytes", pa.binary())])),
    ],
    ids=["binary", "large", "dictionary", "struct", "null struct"],
)
@pytest.mark.parametrize("text", ["string", "large", "dictionary"])
def test_parquet(tmp_path: Path, image: pa.Array, text: str) -> None:
    captions = pa.array(["a", "b", None])
    encoded = {
        "string": captions,
        "large": captions.cast(pa.large_string()),
        "dictionary": captions.dictionary_encode(),
    }[text]
    found = read(write_parquet(tmp_path / "p.parquet", image=image, TEXT=encoded, url=captions))
    assert pairs(found) == [("p.parquet#0", "a", "a", b"one"), ("p.parquet#2", "", "", b"three")]
    assert reasons(found) == [("p.parquet#1", "missing_image")]
    assert found[1].url == "b"


def test_metadata_of_any_kind_but_bytes(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "p.parquet",
        image=pa.array([b"x"]),
        caption=pa.array(["c"]),
        when=pa.array([datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)]),
        price=pa.array([1.5]),
        tags=pa.array([["a", "b"]]),
        mask=pa.array([{"bytes": b"\xff" * 1000, "path": "m.png"}]),
        thumbnails=pa.array([[b"\xff" * 1000]]),
    )
    (pair,) = read(path)
    assert isinstance(pair, RawPair)
    assert json.loads(pair.metadata) == {
        "price": 1.5,
        "tags": ["a", "b"],
        "when": "2020-01-02 00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("columns", "flags", "message"),
    [
        (
            {"a": ["x"], "b": [1]},
            Columns(),
            r"no column for the image .* it has a, b: name .*--image",
        ),
        ({"image": [b"x"]}, Columns(), r"no column for the caption .* it has image"),
        (
            {"image": [b"x"], "text": ["c"]},
            Columns(caption="alt"),
            r"no column 'alt'; it has image",
        ),
        ({"image": ["x"], "text": ["c"]}, Columns(), r"'image' is string, not image bytes"),
        (
            {"image": [b"x"], "text": [["c"]]},
            Columns(),
            r"'text' is list<.*>, not text.*--caption-",
        ),
    ],
)
def test_parquet_of_other_columns(
    tmp_path: Path, columns: dict[str, list[object]], flags: Columns, message: str
) -> None:
    path = write_parquet(tmp_path / "p.parquet", **{n: pa.array(v) for n, v in columns.items()})
    good = write_parquet(tmp_path / "a.parquet", image=pa.array([b"x"]), text=pa.array(["c"]))
    with pytest.raises(UsageError, match=rf"(?s)\.parquet.*{message}"):
        formats.check_columns([str(good), str(path)], flags)  # also where it is not the first


def test_columns_named_by_flags(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "p.parquet", pic=pa.array([b"x"]), alt=pa.array(["a"]), from_=pa.array(["u"])
    )
    assert pairs(read(path, Columns("pic", "alt", "from_"))) == [("p.parquet#0", "u", "a", b"x")]


def test_damaged_parquet(tmp_path: Path) -> None:
    rng = np.random.Generator(np.random.PCG64(0))
    images = pa.array([rng.bytes(3000) for _ in range(300)])
    table = pa.table({"image": images, "text": pa.array([str(n) for n in range(300)])})
    path = tmp_path / "p.parquet"
    pq.write_table(table, path, row_group_size=100, compression="zstd", write_page_checksum=True)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[500_000 : 500_000 + 4000] = bytes(4000)  # in the second group
    path.write_bytes(damaged)
    found = read(path)
    assert 64 <= len(pairs(found)) < 200
    assert reasons(found) == [("p.parquet#(end)", "unreadable_shard")]
    for broken in (b"", b"PAR1", whole[:-1], whole[:1000], b"PAR1" * 3):
        path.write_bytes(broken)
        with pytest.raises(UsageError, match="is no Parquet file"):
            read(path)
        good = tmp_path / "good.parquet"
        good.write_bytes(whole)
        formats.check_columns([str(path), str(good)], Columns())  # among others it is a reject
        rejected = list(formats.READERS[".parquet"](str(path), path.name, Columns()))
        assert reasons(rejected) == [("p.parquet#(end)", "unreadable_shard")]


# Tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a b.jpg").write_bytes(b"one")
    (tmp_path / "2.jpg").write_bytes(b"two")
    return tmp_path


def table(path: Path, records: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        if path.suffix.lower() == ".jsonl":
            file.write("".join(json.dumps(record) + "\n\n" for record in records))
            return path
        delimiter = "\t" if path.suffix == ".tsv" else ","
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "T.JSONL", "T.CSV"])
def test_tables(folder: Path, name: str) -> None:
    records: list[dict[str, object]] = [
        {"file_name": "pictures/a b.jpg", "text": 'said "x", then\nleft', "url": "u1"},
        {"file_name": str(folder / "2.jpg"), "text": "long " * 100_000, "url": "u2"},
        {"file_name": "none.jpg", "text": "x", "url": "u3"},
        {"file_name": "", "text": "x", "url": ""},
        {"file_name": "pictures", "text": "x", "url": ""},
        {"file_name": "https://a.org/b.jpg", "text": "x", "url": ""},
        {"file_name": "a" * 5000, "text": "x", "url": ""},
    ]
    found = read(table(folder / name, records))
    assert pairs(found) == [
        (f"{name}#0", "u1", 'said "x", then\nleft', b"one"),
        (f"{name}#1", "u2", "long " * 100_000, b"two"),
    ]
    assert reasons(found) == [(f"{name}#{n}", "missing_image") for n in range(2, 7)]
    assert found[2].url == "u3"
    assert found[5].url == "https://a.org/b.jpg"


def test_jsonl_that_leaves_out_what_is_null(folder: Path) -> None:
    records: list[dict[str, object]] = [
        {"image": "2.jpg", "caption": "x"},
        {"image": "2.jpg", "url": "u"},
        {"caption": "x"},
    ]
    found = read(table(folder / "t.jsonl", records))
    assert pairs(found) == [("t.jsonl#0", "", "x", b"two"), ("t.jsonl#1", "u", "", b"two")]
    assert reasons(found) == [("t.jsonl#2", "missing_image")]


def test_csv_that_is_ragged(folder: Path) -> None:
    path = folder / "t.csv"
    path.write_bytes(
        b"\xef\xbb\xbffile,text\n2.jpg\n2.jpg,x,more,cells\n2.jpg,\xff\xfe\n2.jpg,a\0b\n"
    )
    found = read(path)
    assert [one[2] for one in pairs(found)] == ["", "x", "\ufffd\ufffd", "a\0b"]
    path.write_bytes(b'file,text\n2.jpg,x\n2.jpg,"never closed ' + b"y," * 40_000)
    assert len(read(path)) == 2


def test_an_unclosed_quote_ends_the_table(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "t.csv"
    path.write_bytes(b'file,text\n2.jpg,x\n2.jpg,"never closed ' + b"y," * 40_000)
    limit = csv.field_size_limit(1000)
    try:
        found = list(tables.read_table(str(path), path.name, Columns()))
    finally:
        csv.field_size_limit(limit)
    assert len(pairs(found)) == 1
    assert reasons(found) == [("t.csv#(end)", "unreadable_shard")]


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_tables_of_other_columns(folder: Path, name: str) -> None:
    path = table(folder / name, [{"a": "1", "b": "2"}])
    with pytest.raises(UsageError, match=r"no column for the image .* it has a, b"):
        formats.check_columns([str(path)], Columns())


def test_a_large_picture_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_MEMBER_BYTES", 2)
    (folder / "pipe").symlink_to("/dev/zero")
    found = read(table(folder / "t.csv", [{"file": "2.jpg", "text": "x"}, {"file": "pipe"}]))
    assert reasons(found) == [("t.csv#0", "too_many_bytes"), ("t.csv#1", "missing_image")]


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl", "e.tar"])
def test_tables_without_rows(tmp_path: Path, write_tar: WriteTar, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"file,text\n" if name == "e.csv" else b"")
    if name == "e.tar":
        write_tar(path, {})
    assert read(path) == []


def test_sizes_are_guessed(tmp_path: Path, write_tar: WriteTar, folder: Path) -> None:
    """For the progress bar alone: within a factor of two."""
    tar = write_tar(tmp_path / "a.tar", {f"{n}.{k}": b"x" * 500 for n in range(90) for k in "jt"})
    jsonl = table(
        folder / "t.jsonl", [{"image": "2.jpg", "caption": f"{n:09d}"} for n in range(90)]
    )
    parquet = write_parquet(tmp_path / "p.parquet", image=pa.array([b"x" * 900] * 90))
    for path in (tar, jsonl, parquet):
        size = path.stat().st_size
        assert 45 < size / formats.bytes_per_row(str(path), size) < 181
    broken = tmp_path / "broken.tar"
    broken.write_bytes(b"no tar")
    assert formats.bytes_per_row(str(broken), 6) == 6


def _peak(found: Iterator[Row]) -> int:
    """Bytes of the largest row, counting through without keeping any."""
    return max((sys.getsizeof(row.image) for row in found if isinstance(row, RawPair)), default=0)


def test_reading_is_lazy(tmp_path: Path, write_tar: WriteTar) -> None:
    """The first rows come before the file is read to its end."""
    path = write_tar(tmp_path / "a.tar", {f"{n}.jpg": bytes(100_000) for n in range(100)})
    data = bytearray(path.read_bytes())
    data[-200_000:] = b"?" * 200_000
    path.write_bytes(data)
    reader = formats.READERS[".tar"](str(path), "a.tar", Columns())
    assert isinstance(next(reader), RawPair)
    assert _peak(reader) < 200_000
