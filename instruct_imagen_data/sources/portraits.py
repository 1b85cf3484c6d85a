"""A caption of a portrait from CelebA's attributes, for faces that nobody has captioned."""

from collections.abc import Iterable

_HAIR = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair")
_SHAPES = ("Straight_Hair", "Wavy_Hair")
_WORN = {
    "Eyeglasses": "glasses",
    "Wearing_Hat": "a hat",
    "Wearing_Earrings": "earrings",
    "Wearing_Necklace": "a necklace",
    "Wearing_Necktie": "a necktie",
}
_BEARDS = {"Goatee": "a goatee", "Mustache": "a moustache", "Sideburns": "sideburns"}


def caption_of(attributes: Iterable[str]) -> str:
    """Such as "a smiling young woman with brown hair, wearing glasses"; '' of no attributes.

    Only what is in sight is told; CelebA's judgements of looks ("Attractive") are left out.
    """
    has = set(attributes)
    if not has:
        return ""
    person = [("a smiling" if "Smiling" in has else "a"), *(["young"] * ("Young" in has))]
    person.append("man" if "Male" in has else "woman")
    hair = [one.removesuffix("_Hair").lower() for one in (*_SHAPES, *_HAIR) if one in has]
    features = [" ".join([*hair, "hair"])] if hair else []
    features += ["a bald head"] * ("Bald" in has) + ["bangs"] * ("Bangs" in has)
    features += [text for name, text in _BEARDS.items() if name in has]
    if "Male" in has and "No_Beard" not in has and not has & _BEARDS.keys():
        features.append("a beard")
    worn = [text for name, text in _WORN.items() if name in has]
    told = " ".join(person)
    told += f" with {_and(features)}" if features else ""
    return told + (f", wearing {_and(worn)}" if worn else "")


def _and(texts: list[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]
