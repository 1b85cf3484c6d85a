"""WebDataset: a tar a shard, a row its consecutive members KEY.*.

KEY.jpg        the target (or .png, .webp)
KEY.json       every other field; each picture has `file`, the member that holds it
KEY.ref1.png   the first reference, and so on
"""

import io
import json
import tarfile
from collections.abc import Iterable

import pyarrow as pa

from instruct_imagen_data import schema, storage
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.export.rows import Row, described, restored

SUFFIX = ".tar"


def write(output: str, name: str, rows: Iterable[Row]) -> None:
    """Writes a shard, whole or not at all; the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    # USTAR, and members without owner and time: nothing in it but the rows.
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for row in rows:
            document, pictures = described(row)
            text = json.dumps(document, ensure_ascii=False).encode()
            for member, data in sorted([*pictures, (f"{row['key']}.json", text)]):
                header = tarfile.TarInfo(member)
                header.size = len(data)
                tar.addfile(header, io.BytesIO(data))
    storage.write_bytes(storage.join(output, name + SUFFIX), sink.getvalue())


def read(output: str, name: str) -> pa.Table:
    """The inverse of `write`: the rows of a shard, as schema.Example.

    Raises:
      UsageError: a picture that a row names is not there.
    """
    place = storage.join(output, name + SUFFIX)
    documents, files = [], {}
    with tarfile.open(fileobj=io.BytesIO(storage.read_bytes(place))) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            data = stream.read() if stream else b""
            if member.name.endswith(".json"):
                documents.append(json.loads(data))
            else:
                files[member.name] = data

    def content(file: str) -> bytes:
        if file not in files:
            raise UsageError(f"{place} holds no member {file}")
        return files[file]

    rows = [restored(one, content) for one in documents]
    return pa.Table.from_pylist(rows, schema=schema.schema_of(schema.Example))
