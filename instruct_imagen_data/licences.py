"""Licence texts as the web states them: which are known to allow commercial use.

Conservative: a text that is not recognised is refused, since "all rights reserved" has a hundred
spellings and silence grants nothing. This is a filter for builders, not advice from a lawyer.
"""

import re

from instruct_imagen_data.keys import UNKNOWN_LICENCE

CHOICES = ("all", "commercial")

# One of these must be the whole text, once versions, links and padding are taken off: a list of
# what is refused would never end.
_ALLOWED = re.compile(
    r"""(creative\ commons\ )?
    ( cc-?0 | cc-?zero | cc-?by | cc-?by-?sa | attribution | attribution-?share-?alike | zero
    | public\ domain(\ (mark|dedication|work|image))? | pdm?
    | apache | mit | isc | zlib | unlicense | bsd | bsd-?[0-4]-?clause | [0-4]-?clause\ bsd
    | no\ known\ copyright\ restrictions | no\ known\ restrictions | us\ government\ work
    )""",
    re.VERBOSE,
)
_LINK = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)(?:/[\d.]+)?(?:/\S*)?"
)
_LINKED = {"zero": "cc0", "mark": "public domain mark", "publicdomain": "public domain"}
_VERSION = re.compile(r"[\s-]*\bv?\d+(\.\d+)+\b|\b(version|v)\s*\d+(\.\d+)*\b|(?<=apache)[\s-]*2\b")
_PADDING = re.compile(
    r"\b(the|licen[cs]es?d?|under|a|an|international|unported|generic|universal|deed)\b"
)
_COUNTRY = re.compile(r"(?<=by)(-sa)?[\s-](us|uk|de|fr|jp|nl|igo|au|ca|it|es|at|ch|pl|br)$")


def _plain(licence: str) -> str:
    """One spelling for a licence: lower case, links as names, without version and padding."""
    text = licence.strip().lower()
    link = _LINK.fullmatch(text)
    if link:
        name = link[1]
        text = _LINKED.get(name, f"cc-{name}")
    text = text.replace("_", "-")
    text = re.sub(r"\bcreative\s+commons\s+(?=by\b)", "cc ", text)
    text = _PADDING.sub(" ", _VERSION.sub(" ", text))
    text = re.sub(r"[(),.]", " ", text)
    text = re.sub(r"\bcc[\s-]+(?=by|0|zero)", "cc-", " ".join(text.split()))
    text = re.sub(r"\b(by)[\s-]+(sa|nc|nd)\b", r"\1-\2", text)
    return _COUNTRY.sub(r"\1", text.strip(" -"))


def _is_known(licence: str) -> bool:
    return bool(_ALLOWED.fullmatch(_plain(licence)))


def allows_commercial_use(licences: str) -> bool:
    """Whether each of the licences in a text (as `keys.join_licences` joins them) is known to.

    Share-alike and attribution do not hinder commerce; "no derivatives" does hinder a corpus of
    derived pictures. GPL is made for software and is not taken for a picture's.
    """
    stated = [one.strip() or UNKNOWN_LICENCE for one in licences.split(";")]
    return all(_is_known(one) for one in stated)
