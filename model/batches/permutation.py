"""A shuffle of any length without a list: the place of one number is computed from a key.

A Feistel network permutes a power of four at least as large as the length; a number that falls
beyond the length is sent through again until it falls within ("cycle walking", Black and Rogaway
2002, "Ciphers with arbitrary finite domains"). Fewer than four passes are expected. Nobody is to be
kept from guessing the order: keys come from a hash, but rounds mix as random generators do.
"""

import functools
import hashlib

_ROUNDS = 6  # four hide the structure; small domains, as windows are, gain from more
_WORD = (1 << 64) - 1


def permute(number: int, length: int, key: str) -> int:
    """Where `number` comes to be among `length`: for each key another bijection."""
    if not 0 <= number < length:
        raise ValueError(f"{number} is not among {length}")
    if length == 1:
        return 0
    half = max(2, ((length - 1).bit_length() + 1) // 2)
    keys = _round_keys(key)
    while True:
        number = _feistel(number, half, keys)
        if number < length:
            return number


@functools.lru_cache(maxsize=1 << 12)  # the draws of a window come one after another
def _round_keys(key: str) -> tuple[int, ...]:
    digest = hashlib.blake2b(key.encode(), digest_size=8 * _ROUNDS).digest()
    return tuple(int.from_bytes(digest[8 * i : 8 * i + 8], "big") for i in range(_ROUNDS))


def _feistel(number: int, half: int, keys: tuple[int, ...]) -> int:
    """A permutation of the numbers of 2 * half bits."""
    left, right = number >> half, number & ((1 << half) - 1)
    for key in keys:
        # The finaliser of SplitMix64 (Steele, Lea and Flood 2014), of which the high bits are best.
        mixed = right ^ key
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _WORD
        left, right = right, left ^ mixed >> (64 - half)
    return left << half | right
