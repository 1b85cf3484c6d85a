"""Pictures from untrusted bytes: decoded, validated, normalised, hashed, encoded.

`read` is the way in. It accepts any bytes and returns a Picture or raises a DecodeError; it neither
crashes nor hangs, and its memory is bounded by the limits. `formats` says what bytes claim to be,
`walk` and `tiff` bound their containers, `containers` leaves only the picture in them, `decode`
lets Pillow at it, `colour` makes it sRGB.
"""

from instruct_imagen_data.images.decode import (
    STORED,
    Limits,
    Picture,
    encode_jpeg,
    encode_png,
    read,
    reread,
    shrink,
    size,
)
from instruct_imagen_data.images.errors import REASONS, DecodeError
from instruct_imagen_data.images.phash import hamming, hamming_rows, perceptual_hash

__all__ = [
    "REASONS",
    "STORED",
    "DecodeError",
    "Limits",
    "Picture",
    "encode_jpeg",
    "encode_png",
    "hamming",
    "hamming_rows",
    "perceptual_hash",
    "read",
    "reread",
    "shrink",
    "size",
]
