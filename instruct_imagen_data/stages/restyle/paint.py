"""How a content picture, or its caption, comes into a style: by style transfer, or by a styler."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from instruct_imagen_data import images, keys, schema
from instruct_imagen_data.annotators.roles import Filters
from instruct_imagen_data.annotators.styles import at_strength
from instruct_imagen_data.stages.blocks import Reject
from instruct_imagen_data.stages.carried import Carried
from instruct_imagen_data.stages.derived import Networks, Target, Terms, target_of
from instruct_imagen_data.stages.pairs import Pairs
from instruct_imagen_data.stages.pictures import open_pair, start_of

ROLES = ("style_transfer", "image_text")
TRANSFER, STYLED = "style_transfer", "styled"
STYLER = "styler"  # a role that a model set may do without


def roles_of(dataset: str, declared: Collection[str]) -> tuple[str, ...]:
    """Roles that a dataset is made with: styled generation by the styler, where a set has one.

    Args:
      declared: Roles of the model set.
    """
    return (STYLER, "image_text") if dataset == STYLED and STYLER in declared else ROLES


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How the rows of a dataset are made.

    Attributes:
      dataset: TRANSFER or STYLED.
      stage: Name for reject rows.
      filters: Cosines to filter by.
      style_share: Share of each style's pictures that is kept: those most like it (FACTS 5).
      strength: Of style transfer: 0 leaves the content as it is, 1 is all of the style (FACTS 64).
      terms: What a row must fulfil.
      limits: What a style picture must be.
      side: Shorter side of targets and references, in pixels.
    """

    dataset: str
    stage: str
    filters: Filters
    style_share: float
    strength: float
    terms: Terms
    limits: images.Limits
    side: int


@dataclasses.dataclass(frozen=True, slots=True)
class Style:
    """A style picture.

    Attributes:
      image: What is known of it.
      target: As stored.
      vector: float32 [d], unit length.
      code: What the style network makes of it; empty where a styler paints.
      facts: What its folder says.
    """

    image: schema.Image
    target: Target
    vector: np.ndarray
    code: np.ndarray
    facts: Mapping[str, str]


def style_of(pairs: Pairs, networks: Networks, recipe: Recipe) -> Style:
    """The style of some pairs, decoded and coded.

    Raises:
      Reject: `licence`, `empty_image` or one of images.REASONS; `unnamed` if it would have to be
        told by its name alone.
    """
    recipe.terms.licence([pairs.style.licence])
    image, picture = open_pair(pairs.style, recipe.limits)
    target = target_of(picture, recipe.side)
    clip, styler = networks.by_role["image_text"], networks.by_role.get(STYLER)
    (vector,) = clip.images([clip.prepare(target.rgb)])
    if styler is None:
        painter = networks.by_role["style_transfer"]
        (code,) = painter.codes([painter.prepare_style(picture.rgb)])
    elif styler.by_prompt and not pairs.facts.get("style"):
        raise Reject("unnamed", pairs.name)
    else:
        code = np.zeros(0, np.float32)
    return Style(image, target, vector, code, pairs.facts)


def paint(
    contents: Sequence[np.ndarray], style: Style, painter: Any, strength: float, side: int
) -> list[np.ndarray]:
    """Pictures uint8 [h, w, 3] in a style, of their own sizes."""
    prepared = [painter.prepare_content(rgb, side) for rgb in contents]
    codes = np.repeat(style.code[None], len(prepared), axis=0)
    if strength < 1:
        codes = at_strength(painter.content_codes(prepared), codes, strength)
    painted = painter(prepared, codes)
    return [_like(one, rgb) for one, rgb in zip(painted, contents, strict=True)]


def _like(painted: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """A picture at the size of another: networks round sides to their strides."""
    if painted.shape == rgb.shape:
        return painted
    height, width = rgb.shape[:2]
    resized: np.ndarray = cv2.resize(painted, (width, height), interpolation=cv2.INTER_AREA)
    return resized


def generate(
    contents: Sequence[Carried], style: Style, styler: Any, recipe: Recipe
) -> list[np.ndarray]:
    """Pictures uint8 [h, w, 3] of the contents' captions in a style, their shorter side at most
    the recipe's; the noise of each is drawn from the key of its row.
    """
    name = style.facts.get("style", "")
    prompts = [styler.prompt(start_of(one.image.caption), name) for one in contents]
    row_keys = (
        keys.derived_key(recipe.dataset, (one.image.key, style.image.key)) for one in contents
    )
    seeds = [keys.draw64(key, STYLER) for key in row_keys]
    painted = styler.paint(prompts, [style.target.rgb] * len(contents), seeds)
    return [images.shrink(rgb, recipe.side) for rgb in painted]
