"""Style transfer by statistics alone: a picture gets the colours and the textures of another.

Colours are moved by the shortest linear map from one mean and covariance to another. Texture is
the distribution of brightness in each band of a Laplacian pyramid, moved by quantiles: what a
painting has flat becomes flat, its edges stay. Where the style's flat parts have a grain that the
content lacks, a fixed noise gives it. It needs no weights and knows nothing of objects or strokes:
for the demo and the tests, where a network would be too much.

Sources: Pitie and Kokaram 2007 (the linear Monge-Kantorovich map); Heeger and Bergen 1995 (bands
matched by their histograms, noise for what is missing). Departures: brightness alone has bands,
and bands are not oriented.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from instruct_imagen_data.annotators import maps
from instruct_imagen_data.annotators.styles import STYLE_SIDE

_LEVELS = 4  # bands, each of half the size of the one before; then what is left
_GRAINED = 3  # of the finest bands: coarser noise would be clouds, not a grain
_MULTIPLE = 16  # pixels; sides stay whole through all levels
_SHARES = np.concatenate([[0.002, 0.01], np.linspace(0.05, 0.95, 13), [0.99, 0.998]])
_QUARTERS = (5, 11)  # of _SHARES: 0.275 and 0.725
_COLOUR = 9  # numbers: three means, six of the covariance
CODE = _COLOUR + (_LEVELS + 1) * len(_SHARES)
_UPPER = np.triu_indices(3)
_LEAST_SPREAD = 6.0  # levels; less is no colour, and is not stretched to be one
_TIE = 1e-3  # levels; equal quantiles are drawn apart by this
_SEED = 1


class Moments:
    """Gives pictures the colours and textures of others, each in a style of its own."""

    @classmethod
    def load(
        cls,
        weights: Path | None,
        *,
        config: Mapping[str, Any],
        precision: str = "fp32",
        device: str = "cpu",
    ) -> "Moments":
        """There is nothing to load; whatever the precision and device, numpy does the work.

        Raises:
          ValueError: there are weights, or a config.
        """
        maps.check_config(config)
        if weights is not None:
            raise ValueError("moments has no weights")
        return cls()

    def prepare_style(self, rgb: np.ndarray) -> np.ndarray:
        """uint8 [h, w, 3] of a picture uint8 [h, w, 3]: its shorter side 256 pixels."""
        return self.prepare_content(rgb, STYLE_SIDE)

    def codes(self, styles: Sequence[np.ndarray]) -> np.ndarray:
        """Codes float32 [n, CODE] of prepared styles, one each, in order."""
        rows = [_code(rgb.astype(np.float32)) for rgb in styles]
        return np.stack(rows) if rows else np.empty((0, CODE), np.float32)

    def prepare_content(self, rgb: np.ndarray, side: int) -> np.ndarray:
        """uint8 [h, w, 3] of a picture: shorter side `side`, both sides multiples of 16."""
        return maps.to_detection_size(rgb, side, _MULTIPLE)

    def content_codes(self, contents: Sequence[np.ndarray]) -> np.ndarray:
        """Codes float32 [n, CODE] of prepared contents, which give them back as they are."""
        return self.codes(contents)

    def __call__(self, contents: Sequence[np.ndarray], codes: np.ndarray) -> list[np.ndarray]:
        """Prepared contents with the statistics of codes [n, CODE]: uint8 [h, w, 3], one each.

        Raises:
          ValueError: there is not one code for each content.
        """
        if codes.shape != (len(contents), CODE):
            raise ValueError(f"{len(contents)} contents and codes of {codes.shape}")
        return [_paint(rgb, code) for rgb, code in zip(contents, codes, strict=True)]


def _paint(rgb: np.ndarray, code: np.ndarray) -> np.ndarray:
    """A content uint8 [h, w, 3] with the statistics of a code [CODE]."""
    mean, covariance, bands = _apart(code)
    coloured = _recolour(rgb.astype(np.float32), mean, covariance)
    bright = _brightness(coloured)
    painted = coloured + (_retexture(bright, bands) - bright)[..., None]
    whole: np.ndarray = np.rint(painted).clip(0, 255).astype(np.uint8)
    return whole


def _code(rgb: np.ndarray) -> np.ndarray:
    """float32 [CODE]: means, the covariance's upper half, and the quantiles of each band."""
    mean, covariance = _moments(rgb)
    bands = [_quantiles(band) for band in _pyramid(_brightness(rgb))]
    return np.concatenate([mean, covariance[_UPPER], *bands]).astype(np.float32)


def _apart(code: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean [3], covariance [3, 3], quantiles [bands, shares]) of a code."""
    covariance = np.zeros((3, 3))
    covariance[_UPPER] = code[3:_COLOUR]
    covariance = covariance + covariance.T - np.diag(np.diag(covariance))
    return code[:3], covariance, code[_COLOUR:].reshape(-1, len(_SHARES))


def _brightness(rgb: np.ndarray) -> np.ndarray:
    """[h, w]: the mean of the three colours. What is added to it is added to each of them."""
    bright: np.ndarray = cv2.transform(rgb, np.full((1, 3), 1 / 3, np.float32))
    return bright


def _moments(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean [3], covariance [3, 3]) of a picture's colours, in levels of 255."""
    mean = np.array(cv2.mean(rgb)[:3])
    centred = (rgb - mean.astype(np.float32)).reshape(-1, 3)
    covariance = cv2.mulTransposed(centred, aTa=True, dtype=cv2.CV_64F) / len(centred)
    return mean, covariance


def _recolour(rgb: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The picture with another mean and covariance, each colour moved as little as that needs."""
    own_mean, own = _moments(rgb)
    least = np.eye(3) * _LEAST_SPREAD**2
    root, inverse = _roots(own + least)
    middle, _ = _roots(root @ (covariance + least) @ root)
    move = inverse @ middle @ inverse
    affine = np.column_stack([move, mean - move @ own_mean]).astype(np.float32)
    moved: np.ndarray = cv2.transform(rgb, affine)
    return moved


def _roots(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(root, inverse root) of a symmetric positive matrix [3, 3]."""
    values, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(np.maximum(values, 1e-9))
    return (vectors * root) @ vectors.T, (vectors / root) @ vectors.T


def _retexture(bright: np.ndarray, bands: np.ndarray) -> np.ndarray:
    """Brightness [h, w] whose bands have other quantiles [bands, shares]."""
    grained = _pyramid(bright)
    for level, grain in enumerate(_grain(*bright.shape)):
        # Where the middle half spreads less than wanted, what is flat is too flat.
        spread = _spread(_quantiles(grained[level]))
        lacking = max(0.0, _spread(bands[level]) ** 2 - spread**2) ** 0.5
        grained[level] += grain * np.float32(lacking)
    return _together([_move(band, wanted) for band, wanted in zip(grained, bands, strict=True)])


@functools.lru_cache(maxsize=8)
def _grain(height: int, width: int) -> tuple[np.ndarray, ...]:
    """The finest bands of noise [height, width], the same in every run, each of spread 1."""
    rng = np.random.Generator(np.random.PCG64(_SEED))
    bands = _pyramid(rng.standard_normal((height, width), dtype=np.float32))[:_GRAINED]
    return tuple(band / np.float32(_spread(_quantiles(band))) for band in bands)


def _spread(quantiles: np.ndarray) -> float:
    """How far apart a band's quarters are."""
    return float(quantiles[_QUARTERS[1]] - quantiles[_QUARTERS[0]])


def _move(band: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """A band [h, w] moved to other quantiles; what is beyond the last ones keeps its distance."""
    own = _quantiles(band)
    apart = np.linspace(-_TIE, _TIE, len(_SHARES))
    inside = band.clip(np.float32(own[0]), np.float32(own[-1]))
    moved = np.interp(inside.ravel(), own + apart, wanted + apart).reshape(band.shape)
    found: np.ndarray = moved.astype(np.float32) + (band - inside)
    return found


def _quantiles(band: np.ndarray) -> np.ndarray:
    """[shares]: the values below which given shares of a band lie."""
    values = np.sort(band, axis=None)
    found: np.ndarray = values[np.rint(_SHARES * (len(values) - 1)).astype(np.intp)]
    return found.astype(np.float64)


def _pyramid(plane: np.ndarray) -> list[np.ndarray]:
    """float32 bands [h, w], [h/2, w/2] ... of a plane [h, w], and what is left of it."""
    bands = []
    for _ in range(_LEVELS):
        smaller = cv2.pyrDown(plane)
        bands.append(plane - cv2.pyrUp(smaller))
        plane = smaller
    return [*bands, plane]


def _together(bands: Sequence[np.ndarray]) -> np.ndarray:
    """The plane [h, w] of a pyramid's bands."""
    *finer, plane = bands
    for band in reversed(finer):
        plane = cv2.pyrUp(plane) + band
    return plane
