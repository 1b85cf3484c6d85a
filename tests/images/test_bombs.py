"""Small files that would cost gigabytes or minutes are read or refused at no cost."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Save = Callable[..., bytes]
Build = Callable[..., bytes]


def bombs(
    scene: Pixels, save: Save, png: Build, chunk: Build, segment: Build
) -> dict[str, tuple[bytes, str]]:
    """name -> (file, reason): small files that would cost gigabytes or minutes."""
    jpeg, huge = save(scene, "JPEG"), struct.pack(">HH", 65000, 65000)
    frame = jpeg.index(b"\xff\xc0")
    sized = jpeg[: frame + 5] + huge + jpeg[frame + 9 :]
    second = segment(0xC0, jpeg[frame + 4 : frame + 5] + huge + jpeg[frame + 9 : frame + 19])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 28), 9))
    image = png(scene, 2, 8)
    # Every entry of this EXIF directory claims the whole block: Pillow would hold 20 GB.
    entries = 20_000
    block = struct.pack("<4sIH", b"II*\0", 8, entries) + b"".join(
        struct.pack("<HHII", tag, 7, 1_000_000, 0) for tag in range(1000, 1000 + entries)
    )
    block += bytes(1_000_100 - len(block))
    parts = [segment(0xE1, b"Exif\0\0" + block[at : at + 60000]) for at in range(0, 10**6, 60000)]
    gif = save(scene, "GIF")
    screen = 13 + 3 * (2 << (gif[10] & 7))
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 60_000 + b"\0"
    webp = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\xff\xff" * 2
    bmp = bytearray(save(scene, "BMP"))
    bmp[18:26] = struct.pack("<II", 40000, 40000)
    progressive = save(scene, "JPEG", progressive=True)
    last = progressive.rindex(b"\xff\xda")
    return {
        "png": (image[:8] + header + image[33:], "too_many_pixels"),
        "png_text": (image[:33] + text + image[33:], ""),
        "png_chunks": (image[:33] + chunk(b"tEXt", b"") * 70_000 + image[33:], "corrupt"),
        "jpeg": (sized, "too_many_pixels"),
        "jpeg_two_frames": (jpeg[:2] + second + jpeg[2:], "too_many_pixels"),
        "jpeg_frame_after": (jpeg[: frame + 19] + second + jpeg[frame + 19 :], "corrupt"),
        "jpeg_exif": (jpeg[:2] + b"".join(parts) + jpeg[2:], ""),
        "jpeg_tiny_exif": (jpeg[:2] + segment(0xE1, b"Exif\0\0") * 60_000 + jpeg[2:], ""),
        "jpeg_fill": (jpeg[:2] + b"\xff" * (1 << 22) + jpeg[3:], ""),
        "jpeg_junk": (jpeg[:2] + b"\xff\0" * (1 << 21) + jpeg[2:], ""),
        "jpeg_scans": (progressive[:-2] + progressive[last:-2] * 40_000, "too_many_pixels"),
        "gif": (gif[:6] + struct.pack("<HH", 60000, 60000) + gif[10:], "too_many_pixels"),
        "gif_comments": (gif[:screen] + comment + gif[screen:], ""),
        "gif_blocks": (gif[:screen] + b"\x21\xfe" + b"\1x" * 10**5 + gif[screen:], "corrupt"),
        "webp": (b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp, "too_many_pixels"),
        "bmp": (bytes(bmp), "too_many_pixels"),
    }


def tiff(*entries: tuple[int, int, int, int], tail: bytes = bytes(200_000)) -> bytes:
    """A little-endian TIFF of 128x96 black pixels, with further (tag, type, count, value)."""
    tags = {256: (4, 1, 128), 257: (4, 1, 96), 258: (3, 1, 8), 262: (3, 1, 1), 278: (4, 1, 96)}
    tags |= {273: (4, 1, 8), 279: (4, 1, 128 * 96)}
    tags |= {tag: (kind, count, value) for tag, kind, count, value in entries}
    rows = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    start = 8 + len(tail)
    directory = struct.pack("<H", len(tags)) + rows + struct.pack("<I", start)  # the next is itself
    return b"II*\0" + struct.pack("<I", start) + tail + directory


TIFF_BOMBS = {
    "none": (tiff(), ""),
    "size": (tiff((256, 4, 1, 60_000), (257, 4, 1, 60_000)), "too_many_pixels"),
    "samples": (tiff((256, 4, 1, 8000), (257, 4, 1, 7900), (277, 3, 1, 60_000)), "too_many_pixels"),
    "no_size": (tiff((256, 4, 1, 0)), "corrupt"),
    "two_sizes": (tiff((256, 4, 2, 8)), "corrupt"),
    "float_size": (tiff((256, 11, 1, 128)), "corrupt"),
    "strips": (tiff((273, 4, 40_000, 8), (279, 4, 40_000, 8)), ""),  # 0, 0, ...: black
    "overlapping": (
        tiff(
            (273, 3, 20_000, 8), (279, 3, 20_000, 50_008), tail=bytes(50_000) + b"\xff\x7f" * 20_000
        ),
        "corrupt",
    ),
    "outside": (tiff((273, 4, 1, 190_000)), "truncated"),
    "values_outside": (tiff((320, 3, 768, 900_000)), "truncated"),
    "tile": (tiff((322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 4, 1, 8)), "corrupt"),
    "palette": (tiff((320, 3, 10**9, 8)), "corrupt"),
    "fax": (tiff((259, 3, 1, 4)), "unsupported_format"),
    "old_jpeg": (tiff((259, 3, 1, 6)), "unsupported_format"),
    "bits": (tiff((258, 3, 1, 12)), "unsupported_format"),
    "profile_outside": (tiff((34675, 7, 10**9, 8)), "truncated"),
}

READ_ALL = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from instruct_imagen_data import images
images.read(images.encode_jpeg(np.zeros((80, 80, 3), np.uint8)))
memory = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
found = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    data = path.read_bytes()
    before, start = memory(), time.process_time()
    try:
        picture = images.read(data)
        reason = ""
        assert len(picture.encoded) < 100_000 and picture.reencoded == (picture.encoded != data)
    except images.DecodeError as error:
        reason = error.reason
    found[path.name] = reason, time.process_time() - start, memory() - before
print(json.dumps(found))
"""


def test_bombs_do_not_go_off(
    scene: Pixels, save: Save, png: Build, chunk: Build, segment: Build, tmp_path: Path
) -> None:
    """In a process of their own, so that its memory is seen and a crash would be."""
    made = bombs(scene, save, png, chunk, segment)
    made |= {f"tiff_{name}": bomb for name, bomb in TIFF_BOMBS.items()}
    for name, (data, _) in made.items():
        (tmp_path / name).write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_ALL, str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    found = json.loads(run.stdout)
    assert {name: found[name][0] for name in made} == {name: made[name][1] for name in made}
    slow = {name: (seconds, mib) for name, (_, seconds, mib) in found.items() if seconds > 1.5}
    assert not slow
    assert not {name: mib for name, (_, _, mib) in found.items() if mib > 200}
