"""Names that depend on content alone: keys, ids and draws.

Nothing here looks at shards, positions or clocks, so a re-sharded corpus keeps every key, and a
retried draw comes out the same.
"""

import functools
import hashlib
from collections.abc import Iterable, Sequence
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import tldextract

_TRACKING = ("utm_",)
_TRACKING_NAMES = frozenset({"fbclid", "gclid", "msclkid", "igshid", "mc_cid", "mc_eid", "ref_src"})
_DEFAULT_PORTS = frozenset({80, 443})


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, or None for text that is no URL (web metadata holds much of it)."""
    text = url.strip()
    if not text:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"//{text.lstrip('/')}")
        _ = parts.port  # raises on a port that is no number
    except ValueError:
        return None
    return parts


def normalise_url(url: str) -> str:
    """One spelling for the addresses of one file: '' stays ''.

    Scheme, fragment, default port, letter case of the host and tracking parameters go; path and
    the other parameters stay, in order, since sites do serve different files by them.
    """
    parts = _split(url)
    if parts is None or not parts.hostname:
        return url.strip()
    port = f":{parts.port}" if parts.port and parts.port not in _DEFAULT_PORTS else ""
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not name.lower().startswith(_TRACKING) and name.lower() not in _TRACKING_NAMES
    ]
    return f"{parts.hostname}{port}{parts.path or '/'}" + (f"?{urlencode(query)}" if query else "")


@functools.cache
def _suffixes() -> tldextract.TLDExtract:
    # The list that ships with the package: no download, no cache folder, the same on all workers.
    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def site_file(url: str) -> str:
    """Registered domain and file name ("example.co.uk/cat.jpg"), or '' if the URL has no file.

    A site's mirrors and resized variants share it; so do many different pictures ("image.jpg"),
    which is why it is evidence of a duplicate only together with the vectors.
    """
    parts = _split(url)
    if parts is None or not parts.hostname:
        return ""
    name = parts.path.rsplit("/", 1)[-1].lower()
    site = _suffixes()(parts.hostname).top_domain_under_public_suffix or parts.hostname
    return f"{site}/{name}" if name else ""


def normalise_caption(caption: str) -> str:
    """Caption with white space folded and letter case dropped, for comparing, not for keeping."""
    return " ".join(caption.split()).casefold()


def pair_key(url: str, caption: str, image: bytes) -> str:
    """sha256 (hex) of normalised URL, caption and image bytes as read: the identity of a pair."""
    digest = hashlib.sha256()
    for part in (normalise_url(url).encode(), caption.encode("utf-8", "surrogatepass"), image):
        digest.update(len(part).to_bytes(8, "big"))  # lengths, so that no two splits collide
        digest.update(part)
    return digest.hexdigest()


def id64(text: str | bytes) -> int:
    """63-bit id of a text, 0 for an empty one: what rules compare instead of long strings."""
    if not text:
        return 0
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big") >> 1


def draw64(key: str, salt: str) -> int:
    """A 64-bit number drawn from (key, salt): the same in every run, on every machine."""
    data = f"{salt}\0{key}".encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def unit(key: str, salt: str) -> float:
    """A draw from [0, 1) that depends on (key, salt) alone."""
    return (draw64(key, salt) >> 11) / 2.0**53


def derived_key(dataset: str, sources: Sequence[str], salt: str = "") -> str:
    """sha256 (hex) of a dataset's name and the keys of a derived row's parents, target first.

    Args:
      salt: Tells rows of the same parents apart, such as two restylings of other strength.
    """
    return hashlib.sha256("\0".join((dataset, *sources, salt)).encode()).hexdigest()


UNKNOWN_LICENCE = "unknown"


def join_licences(licences: Iterable[str]) -> str:
    """Licences of all parents as one text, each once and sorted: "Apache-2.0; CC-BY-4.0".

    A parent that states none is `unknown`. Joined texts are taken apart first.
    """
    stated = {one.strip() or UNKNOWN_LICENCE for text in licences for one in text.split(";")}
    return "; ".join(sorted(stated)) if stated else UNKNOWN_LICENCE
