"""`control` against a plain loop over the same pictures and networks: speed, and peak memory.

    .venv/bin/python benchmarks/control.py
    .venv/bin/python benchmarks/control.py --models SET.toml

Planted pictures and the networks of a model set that has depth, mask and edge. Start-up (imports,
loading of networks) is left out: each side runs over a few and over many pictures, and what counts
is the difference. The sides run in turn, `--rounds` times; the ratios are of the medians.
"""

import argparse
import shutil
import statistics
import sys
from pathlib import Path

from processes import Cost, measure, rate

from instruct_imagen_data import shards
from pipelines import corpus, neighbours

HERE = Path(__file__).parent
SIDE = 256
VERDICTS = ["--quality-quantile", "0", "--min-similarity", "-1"]  # keep nearly all


def make_corpus(folder: Path, pairs: int, models: str) -> int:
    """A planted corpus with its verdicts; how many pictures are kept."""
    from instruct_imagen_data import planted

    output, judged = folder / "corpus", folder / "neighbourhoods"
    if not (judged / shards.MANIFEST).exists():
        planted.plant(folder / "web", pairs, seed=0)
        corpus.main(["--input", f"{folder}/web/*.tar", "--output", str(output), "--models", models])
        neighbours.main(["--corpus", str(output), "--output", str(judged), *VERDICTS])
    reasons = shards.require_finished(str(judged), "neighbours")["reasons"]
    rejected = ("low_quality", "domain", "low_similarity", "duplicate")
    rows = shards.require_finished(str(output), "corpus")["rows"]["scores"]
    return rows - sum(reasons.get(reason, 0) for reason in rejected)


def plain(folder: Path, models: str) -> Cost:
    """The loop over a corpus."""
    places = [str(folder / name) for name in ("corpus", "neighbourhoods")]
    return measure([sys.executable, str(HERE / "plain_control.py"), *places, models, str(SIDE)])


def job(folder: Path, models: str, threads: int) -> Cost:
    """The job over a corpus."""
    output = folder / "examples"
    shutil.rmtree(output, ignore_errors=True)
    flags = ["--corpus", str(folder / "corpus"), "--output", str(output), "--models", models]
    flags += ["--precision", "fp32", f"--direct_num_workers={threads}"]
    return measure([sys.executable, "-m", "pipelines.control", *flags])


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, nargs=2, default=[200, 1000], help="few and many")
    parser.add_argument("--models", default="embedded")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workdir", type=Path, default=Path("build/control"))
    given = parser.parse_args()
    folders = [given.workdir.absolute() / str(pairs) for pairs in given.pairs]
    few, many = (
        make_corpus(folder, pairs, "embedded")
        for folder, pairs in zip(folders, given.pairs, strict=True)
    )
    runs = {"plain loop": lambda folder: plain(folder, given.models)}
    runs |= {
        f"control, {t} thread{'s' * (t > 1)}": lambda folder, t=t: job(folder, given.models, t)
        for t in (1, 2)
    }
    costs: dict[str, list[list[Cost]]] = {name: [[], []] for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            for size, folder in enumerate(folders):
                costs[name][size].append(run(folder))
    base = rate(*costs["plain loop"], many - few)
    for name, (small, large) in costs.items():
        wall, cpu = rate(small, large, many - few)
        peaks = (statistics.median(one.peak for one in some) for some in (small, large))
        print(
            f"{name:<20} {wall / base[0]:5.2f} of the loop by the clock, {cpu / base[1]:5.2f} by "
            f"CPU time; peak {' and '.join(f'{one:.2f}' for one in peaks)} GB at {few} and {many} "
            "pictures",
            flush=True,
        )


if __name__ == "__main__":
    main()
