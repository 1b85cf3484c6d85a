"""A shuffle of any length without a list: the place of one number is computed from a key.

A Feistel network permutes a power of four at least as large as the length; a number that falls
beyond the length is sent through again until it falls within ("cycle walking", Black and Rogaway
2002, "Ciphers with arbitrary finite domains"). Fewer than four passes are expected.
"""

import hashlib

_ROUNDS = 6  # four hide the structure; small domains, as windows are, gain from more


def permute(number: int, length: int, key: bytes) -> int:
    """Where `number` comes to be among `length`, for a key of at most 64 bytes: a bijection."""
    if not 0 <= number < length:
        raise ValueError(f"{number} is not among {length}")
    if length == 1:
        return 0
    half = max(2, ((length - 1).bit_length() + 1) // 2)
    while True:
        number = _feistel(number, half, key)
        if number < length:
            return number


def _feistel(number: int, half: int, key: bytes) -> int:
    """A permutation of the numbers of 2 * half bits."""
    mask = (1 << half) - 1
    left, right = number >> half, number & mask
    for turn in range(_ROUNDS):
        data = (right * _ROUNDS + turn).to_bytes(9, "big")
        mixed = hashlib.blake2b(data, digest_size=8, key=key).digest()
        left, right = right, left ^ (int.from_bytes(mixed, "big") & mask)
    return left << half | right
