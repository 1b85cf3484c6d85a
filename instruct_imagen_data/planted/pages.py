"""Pictures that no corpus wants: advertising banners, screenshots and pictures of text."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from instruct_imagen_data.planted.draws import generator
from instruct_imagen_data.planted.solids import f32
from instruct_imagen_data.planted.views import render
from instruct_imagen_data.planted.world import entities

Pixels = NDArray[np.uint8]
Rng = np.random.Generator
RGB = tuple[int, int, int]

_WORDS = (  # noqa: SIM905 (easier to read as lines)
    "the of and to in for with new your free sale best home shop now more all day save get up top "
    "make time good great life work easy order online price only today offer gift club story world "
    "people garden summer winter street market paper letter report table value note result number "
    "open file view edit search help page first last system user data name"
).split()
_CALLS = ("SHOP NOW", "BUY NOW", "ORDER TODAY", "LEARN MORE", "SIGN UP", "GET 20% OFF", "TRY FREE")
_SLOGANS = (
    "SUMMER SALE", "BLACK FRIDAY", "UP TO 70% OFF", "FREE SHIPPING", "NEW ARRIVALS", "MEGA DEALS",
    "LAST CHANCE", "SUBSCRIBE TODAY", "WIN A TRIP", "BEST PRICE",
)  # fmt: skip
_WHITE: RGB = (255, 255, 255)
_INK: tuple[RGB, ...] = ((25, 25, 28), (45, 50, 70), (70, 30, 30), (20, 60, 60))
_PAPER: tuple[RGB, ...] = ((255, 255, 255), (250, 247, 238), (243, 239, 226), (246, 248, 250))
_LOUD: tuple[RGB, ...] = (
    (220, 40, 60), (250, 190, 20), (20, 110, 200), (30, 160, 110), (120, 50, 160), (245, 110, 30),
    (25, 30, 45), (235, 70, 140),
)  # fmt: skip


def _font(size: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(max(size, 7.0))  # Pillow brings it: no font file is needed


def _words(rng: Rng, low: int, high: int) -> str:
    count = int(rng.integers(low, high + 1))
    return " ".join(_WORDS[i] for i in rng.integers(len(_WORDS), size=count))


def _pick(rng: Rng, options: tuple[RGB, ...]) -> RGB:
    return options[int(rng.integers(len(options)))]


def _jitter(rng: Rng, colour: RGB) -> RGB:
    red, green, blue = (int(np.clip(c + rng.integers(-14, 15), 0, 255)) for c in colour)
    return red, green, blue


def banner(rng: Rng, side: int) -> Image.Image:
    """An advertisement, 2.5 to 3 times as wide as high: slogan, small print and a button."""
    h, w = side, round(side * rng.uniform(2.5, 3.0))
    page = _poster(rng, h, w)
    draw = ImageDraw.Draw(page)
    picture_left = rng.random() < 0.5
    if rng.random() < 0.75:
        page.paste(_product(rng, h), (0 if picture_left else w - h, 0))
    left = h * 1.1 if picture_left else h * 0.15
    slogan = _SLOGANS[int(rng.integers(len(_SLOGANS)))]
    rim = max(h // 90, 1)
    font = _font(h * 0.24)
    draw.text((left, h * 0.12), slogan, _WHITE, font, stroke_width=rim, stroke_fill=(0, 0, 0))
    draw.text((left, h * 0.45), _words(rng, 4, 7), fill=_WHITE, font=_font(h * 0.11))
    box = (left, h * 0.66, left + h * 0.85, h * 0.88)
    draw.rounded_rectangle(box, h * 0.06, fill=_jitter(rng, (250, 250, 245)))
    call = _CALLS[int(rng.integers(len(_CALLS)))]
    draw.text((left + h * 0.08, h * 0.71), call, fill=(20, 20, 25), font=_font(h * 0.105))
    if rng.random() < 0.6:
        x, y, r = left + h * 1.15, h * 0.77, h * 0.16
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(250, 220, 40))
        off, at = f"-{int(rng.integers(2, 9))}0%", (x - r * 0.7, y - r * 0.4)
        draw.text(at, off, fill=(180, 20, 20), font=_font(h * 0.1))
    return page


def _poster(rng: Rng, h: int, w: int) -> Image.Image:
    """A ground that shouts: two loud colours, with rays or blots on some."""
    first, second = _jitter(rng, _pick(rng, _LOUD)), _jitter(rng, _pick(rng, _LOUD))
    ramp = np.linspace(0, 1, w, dtype=np.float32)[None, :, None]
    sheet = f32(first) * (1 - ramp) + f32(second) * ramp
    page = Image.fromarray(np.broadcast_to(sheet, (h, w, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(page)
    kind = int(rng.integers(3))
    if kind == 0:
        x, y = w * rng.uniform(0.2, 0.8), h * 0.5
        for angle in np.arange(0, 6.28, 0.42):
            ends = [(x + 3 * w * np.cos(a), y + 3 * w * np.sin(a)) for a in (angle, angle + 0.2)]
            draw.polygon([(x, y), *ends], fill=_jitter(rng, first))
    elif kind == 1:
        for _ in range(9):
            x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.1, 0.5) * h
            draw.ellipse((x - r, y - r, x + r, y + r), fill=_jitter(rng, second))
    return page


def _product(rng: Rng, side: int) -> Image.Image:
    wares = [e for e in entities(int(rng.integers(1000)), 1) if e.domain in ("products", "food")]
    view = render(wares[int(rng.integers(len(wares)))], int(rng.integers(50)), 0, max(side, 32))
    return Image.fromarray(cv2.resize(view.rgb, (side, side), interpolation=cv2.INTER_AREA))


def screenshot(rng: Rng, side: int) -> Image.Image:
    """A window: title bar, menu, side bar, and a table, code, a chart or a form."""
    h, w = side, round(side * rng.uniform(1.3, 1.8))
    dark = rng.random() < 0.35
    ground: RGB = (34, 37, 43) if dark else (248, 249, 250)
    ink: RGB = (205, 210, 216) if dark else (55, 58, 64)
    panel: RGB = (45, 49, 57) if dark else (233, 236, 240)
    accent = _jitter(rng, _pick(rng, _LOUD))
    page = Image.new("RGB", (w, h), ground)
    draw = ImageDraw.Draw(page)
    bar = h * 0.085
    draw.rectangle((0, 0, w, bar), fill=accent if rng.random() < 0.35 else panel)
    for number, colour in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84))):
        x = bar * (0.45 + 0.6 * number)
        draw.ellipse((x - bar * 0.18, bar * 0.32, x + bar * 0.18, bar * 0.68), fill=colour)
    draw.text((w * 0.3, bar * 0.2), _words(rng, 2, 4), fill=ink, font=_font(bar * 0.5))
    draw.rectangle((0, bar, w, bar * 1.8), fill=panel)
    draw.text(
        (bar * 0.4, bar * 1.1), "File  Edit  View  Tools  Help", fill=ink, font=_font(bar * 0.45)
    )
    edge = w * rng.uniform(0.18, 0.28)
    draw.rectangle((0, bar * 1.8, edge, h), fill=panel)
    for row in range(int(rng.integers(6, 12))):
        y = bar * 2.2 + row * h * 0.07
        draw.text(
            (bar * 0.4, y),
            _words(rng, 1, 2),
            fill=accent if row == 2 else ink,
            font=_font(h * 0.035),
        )
    area = (edge + bar * 0.5, bar * 2.3, w - bar * 0.4, h - bar * 0.4)
    (_table, _code, _chart, _form)[int(rng.integers(4))](rng, draw, area, ink, accent)
    return page


Area = tuple[float, float, float, float]


def _table(rng: Rng, draw: ImageDraw.ImageDraw, area: Area, ink: RGB, accent: RGB) -> None:
    left, top, right, bottom = area
    rows, columns = int(rng.integers(7, 12)), int(rng.integers(3, 6))
    for row in range(rows + 1):
        y = top + (bottom - top) * row / rows
        draw.line((left, y, right, y), fill=ink, width=1)
        for column in range(columns):
            x = left + (right - left) * column / columns
            draw.line((x, top, x, bottom), fill=ink, width=1)
            if row < rows:
                text = _words(rng, 1, 1) if row == 0 or column == 0 else f"{rng.integers(10, 9999)}"
                draw.text(
                    (x + 3, y + 2),
                    text,
                    fill=accent if row == 0 else ink,
                    font=_font((bottom - top) / rows * 0.55),
                )


def _code(rng: Rng, draw: ImageDraw.ImageDraw, area: Area, ink: RGB, accent: RGB) -> None:
    left, top, _, bottom = area
    rows = int(rng.integers(13, 19))
    size = (bottom - top) / rows * 0.72
    for row in range(rows):
        y = top + (bottom - top) * row / rows
        indent = left + size * (1 + 1.2 * int(rng.integers(0, 4)))
        draw.text(
            (left - size * 0.4, y), str(row + 1), fill=(130, 134, 140), font=_font(size * 0.8)
        )
        draw.text((indent + size, y), _words(rng, 1, 1), fill=accent, font=_font(size))
        draw.text((indent + size * 4, y), f"= {_words(rng, 1, 3)}();", fill=ink, font=_font(size))


def _chart(rng: Rng, draw: ImageDraw.ImageDraw, area: Area, ink: RGB, accent: RGB) -> None:
    left, top, right, bottom = area
    draw.text((left, top), _words(rng, 3, 5), fill=ink, font=_font((bottom - top) * 0.07))
    top += (bottom - top) * 0.14
    draw.line((left, top, left, bottom, right, bottom), fill=ink, width=2)
    count = int(rng.integers(6, 13))
    heights = rng.uniform(0.15, 0.95, count)
    step = (right - left) / count
    for number, height in enumerate(heights):
        x, y = left + step * (number + 0.15), bottom - (bottom - top) * height
        draw.rectangle((x, y, x + step * 0.7, bottom - 1), fill=accent if number % 2 else ink)
    line = [
        (left + step * (n + 0.5), bottom - (bottom - top) * rng.uniform(0.2, 0.95))
        for n in range(count)
    ]
    draw.line(line, fill=(230, 120, 40), width=2)


def _form(rng: Rng, draw: ImageDraw.ImageDraw, area: Area, ink: RGB, accent: RGB) -> None:
    left, top, right, bottom = area
    rows = int(rng.integers(4, 7))
    pace = (bottom - top) / (rows + 1)
    for row in range(rows):
        y = top + pace * row
        draw.text((left, y), f"{_words(rng, 1, 2)}:", fill=ink, font=_font(pace * 0.4))
        box = (left + (right - left) * 0.35, y, right, y + pace * 0.65)
        draw.rectangle(box, outline=ink)
        draw.text((box[0] + 4, y + 2), _words(rng, 1, 4), fill=ink, font=_font(pace * 0.36))
    draw.rounded_rectangle(
        (left, bottom - pace * 0.8, left + pace * 2.6, bottom - pace * 0.1), 4, fill=accent
    )
    draw.text(
        (left + 8, bottom - pace * 0.7), "Submit", fill=(255, 255, 255), font=_font(pace * 0.42)
    )


def text(rng: Rng, side: int) -> Image.Image:
    """A page, a quotation card or a slide: words and nothing else."""
    h, w = (side, round(side * rng.uniform(0.72, 1.4)))
    if w < side:
        h, w = round(side * side / w), side
    loud = rng.random() < 0.3
    paper = _jitter(rng, _pick(rng, _LOUD)) if loud else _pick(rng, _PAPER)
    ink: RGB = (255, 255, 255) if loud else _pick(rng, _INK)
    page = Image.new("RGB", (w, h), paper)
    draw = ImageDraw.Draw(page)
    margin = w * rng.uniform(0.06, 0.12)
    y = h * rng.uniform(0.05, 0.10)
    title = h * rng.uniform(0.05, 0.09)
    draw.text((margin, y), _words(rng, 2, 4).title(), fill=ink, font=_font(title))
    y += title * 1.7
    size = h * (rng.uniform(0.07, 0.10) if loud else rng.uniform(0.026, 0.05))
    font = _font(size)
    while y < h - margin - size:
        if rng.random() < 0.10:
            y += size
        line = _words(rng, 5, 14)
        while line and draw.textlength(line, font=font) > w - 2 * margin:
            line = line.rpartition(" ")[0]
        draw.text((margin, y), line, fill=ink, font=font)
        y += size * 1.45
    return page


PAGES: dict[str, Callable[[Rng, int], Image.Image]] = {
    "banner": banner,
    "screenshot": screenshot,
    "text": text,
}


def reject_picture(kind: str, index: int, seed: int, side: int = 256) -> Pixels:
    """A picture [h, w, 3] of a reject class (a name of PAGES), its shorter side `side` pixels."""
    page = PAGES[kind](generator("page", seed, kind, index), side)
    return np.asarray(page.convert("RGB"), np.uint8)
