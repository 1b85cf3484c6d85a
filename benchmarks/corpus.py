"""`corpus` against a plain loop over the same pictures and networks: pictures a second.

    .venv/bin/python benchmarks/corpus.py
    .venv/bin/python benchmarks/corpus.py --input 'shards/*.tar'

NIMA on MobileNet and CLIP ViT-B/32, with random weights: they take as long as others. Start-up
(imports, loading of networks) is left out: each side runs over a few and over many pairs, and what
counts is the difference. The sides run in turn, `--rounds` times; the ratios are of the medians.
Where the processor (or, with `--device cuda`, the GPU) has no bf16 arithmetic, that part is left
out, and says so; how near bf16 comes to fp32 is measured everywhere, on a model set of real or
trained weights (`--parity`).
"""

import argparse
import io
import json
import shutil
import sys
import tarfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from processes import Cost, measure, rate
from scipy.stats import spearmanr

from instruct_imagen_data import images, planted
from instruct_imagen_data.annotators import clip, model_set, nima
from instruct_imagen_data.annotators.precision import resolve_precision
from instruct_imagen_data.annotators.weights import sha256_of

PAIRS_A_TAR = 32  # a block, and a batch
HERE = Path(__file__).parent
NIMA = {"backbone": "mobilenetv1_100", "side": 224, "interpolation": "bilinear",
        "mean": [0.5] * 3, "std": [0.5] * 3}  # fmt: skip
TOML = """
name = "benchmark"
[quality]
network = "nima"
weights = "nima.safetensors"
sha256 = "{nima}"
licence = "none"
source = "random weights"
direction = "higher"
range = [1.0, 10.0]
floor = 1.0
config = {config}
[image_text]
network = "clip"
weights = "clip.safetensors"
sha256 = "{clip}"
licence = "none"
source = "random weights"
logit_scale = 100.0
min_probability = 0.5
min_margin = 0.01
min_similarity = 0.0
config = {{ architecture = "ViT-B-32" }}
[duplicates]
cosine = 0.95
confirm_cosine = 0.9
phash_bits = 54
[filters]
subject = [0.82, 0.98]
caption = 0.2
copy = 0.9
[[domain]]
name = "animals"
sentences = ["a photo of an animal"]
[[domain]]
name = "food"
sentences = ["a photo of food"]
[[reject]]
name = "text"
sentences = ["an image of text"]
"""


def make_set(folder: Path) -> Path:
    """A model set of random weights, the same for both sides; the path of its TOML."""
    import torch
    from safetensors.torch import save_file

    path = folder / "benchmark.toml"
    if not path.exists():
        torch.manual_seed(0)
        for name, network in (("nima", nima.build(NIMA)), ("clip", clip.build("ViT-B-32"))):
            save_file(dict(network.state_dict()), folder / f"{name}.safetensors")
        pairs = (f"{name} = {json.dumps(value)}" for name, value in NIMA.items())
        hashes = {name: sha256_of(folder / f"{name}.safetensors") for name in ("nima", "clip")}
        path.write_text(TOML.format(config="{ " + ", ".join(pairs) + " }", **hashes))
    return path


def usable(tars: list[Path]) -> Iterator[tuple[bytes, bytes]]:
    """(JPEG, caption) of the pairs that `corpus` keeps; both sides then do the same work."""
    for path in tars:
        with tarfile.open(path) as archive:
            members = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
        for name, data in members.items():
            caption = members.get(f"{name.rpartition('.')[0]}.txt", b"")
            if name.endswith(".jpg") and caption.strip():
                try:
                    images.read(data)
                except images.DecodeError:
                    continue
                yield data, caption


def write_tars(pairs: list[tuple[bytes, bytes]], folder: Path) -> None:
    """Pairs as tars of PAIRS_A_TAR."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, len(pairs), PAIRS_A_TAR)):
        with tarfile.open(folder / f"{number:05d}.tar", "w") as archive:
            for row, pair in enumerate(pairs[start : start + PAIRS_A_TAR]):
                for extension, data in zip(("jpg", "txt"), pair, strict=True):
                    header = tarfile.TarInfo(f"{number:05d}{row:04d}.{extension}")
                    header.size = len(data)
                    archive.addfile(header, io.BytesIO(data))


class Sides:
    """The commands of both sides, over a few and over many pairs."""

    def __init__(self, folder: Path, models: Path, device: str) -> None:
        self._folder, self._models, self._device = folder, models, device

    def plain(self, pairs: str, precision: str) -> Cost:
        files = [str(self._folder / f"{name}.safetensors") for name in ("nima", "clip")]
        script = str(HERE / "plain_corpus.py")
        return measure([sys.executable, script, str(self._folder / pairs), *files, precision])

    def job(self, pairs: str, precision: str, threads: int) -> Cost:
        output = self._folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        flags = ["--input", f"{self._folder / pairs}/*.tar", "--output", str(output)]
        flags += ["--models", str(self._models), "--precision", precision]
        flags += ["--device", self._device, f"--direct_num_workers={threads}"]
        return measure([sys.executable, "-m", "pipelines.corpus", *flags])


def parity(name: str, tars: list[Path], rows: int) -> tuple[float, float]:
    """(rank correlation of quality, mean cosine of picture vectors) of bf16 with fp32."""
    models = model_set.load_set(name)
    pictures = [images.read(data).rgb for data, _ in islice(usable(tars), rows)]
    found = []
    for precision in ("fp32", "bf16"):
        networks = model_set.load_networks(models, precision)
        quality = networks.quality([networks.quality.prepare(one) for one in pictures]).value
        seen = networks.image_text.images([networks.image_text.prepare(one) for one in pictures])
        found.append((quality, seen))
    (quality, seen), (other, half) = found
    cosine = np.einsum("nd,nd->n", seen, half) / np.linalg.norm(half, axis=1)
    return float(spearmanr(quality, other).statistic), float(cosine.mean())


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--input", help="a glob of img2dataset tars; planted pairs by default")
    parser.add_argument("--pairs", type=int, nargs=2, default=[64, 320], help="few and many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--parity", default="embedded", help="model set whose bf16 is compared")
    parser.add_argument("--workdir", type=Path, default=Path("build/corpus"))
    given = parser.parse_args()
    folder: Path = given.workdir.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    few, many = given.pairs
    if given.input:
        tars = sorted(Path().glob(given.input))
    else:
        if not (folder / "web").exists():
            planted.plant(folder / "web", many * 4 // 3, seed=0)
        tars = sorted((folder / "web").glob("*.tar"))
    pairs = list(islice(usable(tars), many))
    write_tars(pairs[:few], folder / "few")
    write_tars(pairs, folder / "many")
    sides = Sides(folder, make_set(folder), given.device)
    auto = resolve_precision("auto", given.device)
    runs = {"plain loop, fp32": lambda n: sides.plain(n, "fp32")}
    runs |= {f"corpus, fp32, {t} thread": lambda n, t=t: sides.job(n, "fp32", t) for t in (1, 2)}
    if auto != "fp32":
        runs |= {f"plain loop, {auto}": lambda n: sides.plain(n, auto)}
        runs |= {f"corpus, {auto}, 1 thread": lambda n: sides.job(n, auto, 1)}
    costs: dict[str, dict[str, list[Cost]]] = {name: {"few": [], "many": []} for name in runs}
    for _ in range(given.rounds):
        for name, run in runs.items():
            for size in ("few", "many"):
                costs[name][size].append(run(size))
    base = rate(*costs["plain loop, fp32"].values(), len(pairs) - few)
    for name, of in costs.items():
        wall, cpu = rate(of["few"], of["many"], len(pairs) - few)
        print(f"{name:<28} {wall / base[0]:5.2f} of the fp32 loop by the clock, "
              f"{cpu / base[1]:5.2f} by CPU time", flush=True)  # fmt: skip
    if auto == "fp32":
        print(f"bf16: left out, this {given.device} has no bf16 arithmetic; auto is fp32")
    rank, cosine = parity(given.parity, tars, few)
    print(f"bf16 and fp32, set {given.parity}: rank correlation of quality {rank:.4f}, "
          f"mean cosine of vectors {cosine:.4f}")  # fmt: skip


if __name__ == "__main__":
    main()
