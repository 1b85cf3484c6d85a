"""Annotators on ground truth: the networks of a model set, against people, stereo and ladders.

    .venv/bin/python benchmarks/annotators.py --shared ../shared

Maps are measured as jobs make them: at the set's detection size, resized to the picture. PiDiNet
is measured at the pictures' own size too, as its authors did; beside it Canny, with the best of
its smoothings and thresholds. `--pictures N` takes the first N of each folder.
"""

import argparse
import contextlib
import functools
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import ground_truth
import numpy as np
from PIL import Image
from tqdm import tqdm

from instruct_imagen_data.agreement import rank_correlation
from instruct_imagen_data.annotators import model_set
from instruct_imagen_data.annotators.maps import MapNetwork, Refused, binary_mask, to_size
from instruct_imagen_data.annotators.pidinet import PidiNet

SET = Path(__file__).resolve().parents[1] / "tests" / "data" / "shared_set.toml"
THRESHOLDS = np.arange(1, 16) / 16  # of edge maps
CANNY_HIGH = np.geomspace(40, 600, 12)  # upper thresholds; the lower one is 0.4 of it
CANNY_SIGMAS = (1.0, 2.0)  # pixels of Gaussian smoothing

# (what, measure, value, what it must reach or '')
Row = tuple[str, str, float, str]


def read(path: Path) -> np.ndarray:
    """uint8 [h, w, 3] of a picture."""
    return np.asarray(Image.open(path).convert("RGB"))


def see(network: MapNetwork, rgb: np.ndarray) -> np.ndarray:
    """The network's map of a picture, at the picture's size."""
    (found,) = network([network.prepare(rgb)])
    return to_size(found.pixels, rgb.shape[1], rgb.shape[0])


def canny(rgb: np.ndarray, sigma: float) -> list[np.ndarray]:
    """bool [h, w] at each of CANNY_HIGH."""
    grey = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), sigma)
    return [cv2.Canny(grey, 0.4 * high, high, L2gradient=True) > 0 for high in CANNY_HIGH]


def boundaries(folder: Path, cut: Callable[[np.ndarray], list[np.ndarray]], most: int) -> float:
    """ODS of a detector that cuts a picture into boundaries at several thresholds."""
    counts = []
    for path in tqdm(sorted((folder / "images").glob("*.jpg"))[:most], leave=False):
        drawn = sorted((folder / "gt_annotators").glob(f"{path.stem}_*.png"))
        people = [np.asarray(Image.open(one)) > 0 for one in drawn]
        counts.append([ground_truth.count(one, people) for one in cut(read(path))])
    return ground_truth.best_f1(counts)[0]


def edges(shared: Path, models: model_set.ModelSet, most: int) -> list[Row]:
    """ODS of the set's edges, of PiDiNet at native size, and of Canny."""
    folder = shared / "data" / "edges_gt"
    network = model_set.load_role(models, "edge")
    native = PidiNet.load(shared / "weights" / "pidinet" / "table5_pidinet.pth", config={})

    def cut_by(one: MapNetwork, rgb: np.ndarray) -> list[np.ndarray]:
        return ground_truth.cuts(see(one, rgb) / 255, [float(t) for t in THRESHOLDS])

    smoothed = [
        boundaries(folder, functools.partial(canny, sigma=sigma), most) for sigma in CANNY_SIGMAS
    ]
    reach = f"clearly > {max(smoothed):.3f}"
    name = models.role("edge").network
    own = boundaries(folder, functools.partial(cut_by, native), most)
    set_size = boundaries(folder, functools.partial(cut_by, network), most)
    return [
        ("Canny, the best smoothing", "ODS", max(smoothed), ""),
        ("pidinet at the picture's size", "ODS", own, reach),
        (f"{name} as in the set", "ODS", set_size, reach),
    ]


def masks(shared: Path, models: model_set.ModelSet, most: int) -> list[Row]:
    """Of all pictures, and of those whose mask the guards let a job keep."""
    folder = shared / "data" / "saliency_gt"
    network = model_set.load_role(models, "mask")
    found, truths, kept = [], [], []
    for path in tqdm(sorted((folder / "images").glob("*.jpg"))[:most], leave=False):
        rgb = read(path)
        (one,) = network([network.prepare(rgb)])
        found.append(to_size(one.pixels, rgb.shape[1], rgb.shape[0]))
        truths.append(np.asarray(Image.open(folder / "masks" / f"{path.stem}.png")) > 0)
        with contextlib.suppress(Refused):
            binary_mask(one, rgb.shape[1], rgb.shape[0])
            kept.append(len(found) - 1)
    rows = []
    for group, which in (("all", range(len(found))), ("kept", kept)):
        some, theirs = [found[i] for i in which], [truths[i] for i in which]
        name = f"{models.role('mask').network}: {len(some)} pictures, {group}"
        rows.append((name, "max F-beta", ground_truth.max_f_beta(some, theirs), ">= 0.80"))
        rows.append((name, "MAE", ground_truth.mean_error(some, theirs), "<= 0.12"))
    return rows


def depth(shared: Path, models: model_set.ModelSet) -> list[Row]:
    """Rank correlation with stereo disparity, near = large, where that is known."""
    folder = shared / "data" / "depth_gt"
    network = model_set.load_role(models, "depth")
    rows = []
    for scene in json.loads((folder / "index.json").read_text()):
        truth = np.load(folder / f"{scene['name']}_gt.npz")
        found = see(network, read(folder / f"{scene['name']}.png"))
        valid = truth["valid"]
        value = rank_correlation(found[valid], truth["value"][valid].astype(np.float32))
        name = f"{models.role('depth').network} on {scene['name']}"
        rows.append((name, "rank correlation", value, ""))
    return rows


def quality(shared: Path, models: model_set.ModelSet) -> list[Row]:
    """Mean Spearman over the ladders of each distortion."""
    folder = shared / "data" / "quality_gt"
    network, role = model_set.load_role(models, "quality"), models.quality
    steps = json.loads((folder / "ladders.json").read_text())
    steps.sort(key=lambda one: (one["distortion"], one["ref"], one["level"]))
    rows = []
    for distortion, several in itertools.groupby(steps, key=lambda one: one["distortion"]):
        orders = []
        for ref, ladder in itertools.groupby(several, key=lambda one: one["ref"]):
            files = [ref, *(one["file"] for one in ladder)]
            scores = network([network.prepare(read(folder / file)) for file in files])
            orders.append(ground_truth.ladder_order(role.quality(scores.value).tolist()))
        name = f"{role.network} of {models.name}: {distortion}"
        rows.append((name, "Spearman", float(np.mean(orders)), ""))
    return rows


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--models", default=str(SET))
    parser.add_argument("--pictures", type=int, default=1000)
    options = parser.parse_args()
    models = model_set.load_set(options.models)
    embedded = model_set.load_set("embedded")
    parts: Sequence[Callable[[], list[Row]]] = (
        lambda: depth(options.shared, models),
        lambda: masks(options.shared, models, options.pictures),
        lambda: quality(options.shared, models),
        lambda: quality(options.shared, embedded),
        lambda: edges(options.shared, models, options.pictures),
    )
    print(f"{'network':<36} {'measure':<18} {'value':>7}  must be")
    for part in parts:
        for name, measure, value, reach in part():
            print(f"{name:<36} {measure:<18} {value:>7.3f}  {reach}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
