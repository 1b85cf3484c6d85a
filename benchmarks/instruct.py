"""`instruct` against a plain pyarrow loop over the same examples: rows a second, and peak memory.

    .venv/bin/python benchmarks/instruct.py
    .venv/bin/python benchmarks/instruct.py --rows 2000 50000

Rows of depth_webli: planted pictures of 256 pixels, each with a smooth grey map as reference.
Start-up is left out: each side runs over a few and over many rows, and what counts is the
difference. The sides run in turn, `--rounds` times; rates and ratios are of the medians, of one
process on one thread.
"""

import argparse
import multiprocessing
import shutil
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from processes import Cost, measure, rate

HERE = Path(__file__).parent


def prepare(folder: Path, sizes: list[int]) -> tuple[Path, float]:
    """Templates and examples of all sizes; the templates' path, and bytes a row."""
    import instruct_rows  # only here: a child's peak memory begins at its parent's

    made = instruct_rows.pictures(folder)
    sizes_of_rows = [instruct_rows.write_examples(folder, made, rows) for rows in sizes]
    return instruct_rows.write_templates(folder), statistics.mean(sizes_of_rows)


def plain(folder: Path, rows: int, templates: Path) -> Cost:
    """The loop over so many rows."""
    output = folder / "plain"
    shutil.rmtree(output, ignore_errors=True)
    places = [str(folder / str(rows) / "depth_webli"), str(output), str(templates)]
    return measure([sys.executable, str(HERE / "plain_instruct.py"), *places])


def job(folder: Path, rows: int, templates: Path) -> Cost:
    """The job over so many rows."""
    output = folder / "train"
    shutil.rmtree(output, ignore_errors=True)
    flags = ["--examples", str(folder / str(rows)), "--output", str(output)]
    flags += ["--templates", str(templates.parent), "--direct_num_workers=1"]
    return measure([sys.executable, "-m", "pipelines.instruct", *flags])


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, nargs=2, default=[2000, 12000], help="few and many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workdir", type=Path, default=Path("build/instruct"))
    given = parser.parse_args()
    folder = given.workdir.absolute()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        templates, size = pool.submit(prepare, folder, given.rows).result()
    runs = {"plain loop": plain, "instruct": job}
    costs: dict[str, list[list[Cost]]] = {name: [[], []] for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            for which, rows in enumerate(given.rows):
                costs[name][which].append(run(folder, rows, templates))
    base = rate(*costs["plain loop"], given.rows[1] - given.rows[0])
    print(f"rows of {size / 1e3:.0f} kB")
    for name, (few, many) in costs.items():
        wall, cpu = rate(few, many, given.rows[1] - given.rows[0])
        peaks = [statistics.median(one.peak for one in some) for some in (few, many)]
        print(
            f"{name:<11} {wall:7,.0f} rows/s by the clock, {cpu:7,.0f} by CPU time "
            f"({wall / base[0]:.2f} and {cpu / base[1]:.2f} of the loop); peak "
            f"{' and '.join(f'{one:.2f}' for one in peaks)} GB at {given.rows[0]:,} and "
            f"{given.rows[1]:,} rows"
        )


if __name__ == "__main__":
    main()
