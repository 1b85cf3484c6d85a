"""What `instruct` does, as one would write it in a script: pyarrow, one process, one thread, a
random template a row; nothing else: no validation, no escapes, no rejects, no hashes. The peer that
the job is timed against.

    python benchmarks/plain_instruct.py EXAMPLES OUTPUT TEMPLATES.toml
"""

import random
import sys
import tomllib
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def main(examples: str, output: str, templates: str) -> None:
    """Writes all parts with two more columns."""
    pa.set_cpu_count(1)
    rows = tomllib.loads(Path(templates).read_text())["template"]
    texts = [row["text"].replace("{ref#1}", "[ref#1] {reference}") for row in rows]
    Path(output).mkdir(parents=True)
    for path in sorted(Path(examples).glob("*.parquet")):
        table = pq.read_table(path, use_threads=False)
        captions = table["caption"].to_pylist()
        names = pc.struct_field(pc.list_flatten(table["references"]), "text").to_pylist()
        drawn = [random.randrange(len(texts)) for _ in captions]
        made = [
            texts[number].format(caption=caption, reference=name)
            for number, caption, name in zip(drawn, captions, names, strict=True)
        ]
        ids = [rows[number]["id"] for number in drawn]
        table = table.append_column("instruction", [made]).append_column("template_id", [ids])
        pq.write_table(
            table,
            Path(output, path.name),
            row_group_size=16,
            compression="NONE",
            use_dictionary=False,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
