"""OmniGen's JSON lines: a file a shard, and the pictures of its rows in a folder of its name.

Paths are below the output: their trainer takes a .jsonl as --json_file and the output as
--image_path. Source: VectorSpaceLab/OmniGen, `OmniGen/train_helper/data.py`.
"""

import itertools
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from instruct_imagen_data import schema, storage
from instruct_imagen_data.tools.export import placeholders
from instruct_imagen_data.tools.export.rows import Pictures, Row, described, restored

SUFFIX = ".jsonl"
_WRITERS = 16  # a put in a bucket is mostly waiting
_PICTURES = 64  # put together


def write(output: str, name: str, rows: Iterable[Row]) -> None:
    """Writes the pictures of a shard, then its lines: whoever sees these has all pictures."""
    lines: list[str] = []

    def put(picture: tuple[str, bytes]) -> None:
        file, data = picture
        storage.write_bytes(storage.join(output, file), data)

    files = itertools.chain.from_iterable(_lines(name, rows, lines))
    with ThreadPoolExecutor(_WRITERS) as writers:
        while some := list(itertools.islice(files, _PICTURES)):
            list(writers.map(put, some))
    storage.write_bytes(storage.join(output, name + SUFFIX), "".join(lines).encode())


def _lines(name: str, rows: Iterable[Row], lines: list[str]) -> Iterator[Pictures]:
    """The pictures of each row, its line put to the others."""
    for row in rows:
        document, pictures = described(row)
        lines.append(json.dumps(line_of(document, name), ensure_ascii=False) + "\n")
        yield [(f"{name}/{file}", data) for file, data in pictures]


def line_of(document: Row, name: str) -> Row:
    """A described row in their words; what they have no word for is in `example`.

    That is JSON in a text, no object: `datasets`, which reads their files, guesses types by the
    first lines, and fails where a list is empty in these and not in others.
    """
    rest = dict(document)
    references = [dict(one) for one in document["references"]]
    markers = [one["marker"] for one in references]
    images = [f"{name}/{one['image']['file']}" for one in references]
    for one in references:
        one["image"] = {"path": one["image"]["path"]}
    rest["references"], rest["image"] = references, {"path": document["image"]["path"]}
    return {
        "task_type": rest.pop("task"),
        "instruction": placeholders.write(rest.pop("instruction"), markers),
        "input_images": images,
        "output_image": f"{name}/{document['image']['file']}",
        "example": json.dumps(rest, ensure_ascii=False),
    }


def read(output: str, name: str) -> pa.Table:
    """The inverse of `write`: the rows of a shard, as schema.Example.

    Raises:
      FileNotFoundError: a picture that a row names is not there.
    """
    text = storage.read_bytes(storage.join(output, name + SUFFIX)).decode()
    rows = []
    for line in filter(None, text.split("\n")):
        document = _document(json.loads(line), name)
        rows.append(restored(document, lambda file: storage.read_bytes(storage.join(output, file))))
    return pa.Table.from_pylist(rows, schema=schema.schema_of(schema.Example))


def _document(line: Row, name: str) -> Row:
    """The inverse of `line_of`, with paths for the files' names."""
    rest: Row = json.loads(line["example"])
    rest["image"]["file"] = line["output_image"]
    for one, file in zip(rest["references"], line["input_images"], strict=True):
        one["image"]["file"] = file
        for other in one["variants"]:
            other["image"]["file"] = f"{name}/{other['image']['file']}"
    markers = [one["marker"] for one in rest["references"]]
    instruction = placeholders.read(line["instruction"], markers)
    return {**rest, "task": line["task_type"], "instruction": instruction}
