"""A row's story in lines for a terminal."""

import textwrap
from collections.abc import Iterator
from typing import Any

from instruct_imagen_data.tools import reasons
from instruct_imagen_data.tools.explain.story import Record

_WIDTH = 100
_LABEL = 14
_DIGITS = 16  # of another row's key
_CAPTION = 52


def lines(story: Record, bands: Record) -> list[str]:
    """The story as aligned lines, what became of the row first.

    Args:
      bands: domain to its band, of the neighbours' manifest.
    """
    told = [*_identity(story)]
    if "score" in story:
        told += _measured(story)
    told += [*_copies(story), *_candidates(story, bands), *_neighbourhoods(story)]
    told += _places(story)
    return [_headline(story), *(line for label, text in told for line in _wrap(label, text))]


def _wrap(label: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text or "-",
        _WIDTH,
        initial_indent=f"{label:<{_LABEL}}",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _headline(story: Record) -> str:
    name, fate = story["origin"], story["fate"]
    if fate == "used":
        count = len(story["neighbourhoods"])
        return f"{name}: kept, and in {count} neighbourhood{'s' * (count != 1)}"
    if fate == "kept":
        return f"{name}: in the corpus; give the neighbours' directory too to learn more"
    reject = story["reject"]
    words = reasons.of(reject["reason"])
    job = "corpus" if fate == "refused" else "neighbours"
    verb = "refused" if fate == "refused" else "dropped"
    return f"{name}: {verb} by {job}, {reject['reason']}. {words.text}"


def _identity(story: Record) -> Iterator[tuple[str, str]]:
    yield "key", story["key"]
    if story["fate"] == "refused":
        reject = story["reject"]
        yield "url", reject["url"]
        yield "detail", reject["detail"]
        yield "sha256", reject["sha256"] or "-"
        return
    picture = story["picture"]
    yield "url", picture["url"]
    yield "caption", picture["caption"]
    size = f"{picture['width']} x {picture['height']} pixels"
    if picture["reencoded"]:
        size += f", re-encoded from {picture['original_width']} x {picture['original_height']}"
    yield "picture", size
    if picture["licence"]:
        yield "licence", picture["licence"]


def _measured(story: Record) -> Iterator[tuple[str, str]]:
    """Quality, domain and similarity, each with the limit it was compared with."""
    score, verdict, limits = story["score"], story.get("verdict"), story.get("limits", {})
    text = f"{score['quality']:.4g}"
    if score["distribution"]:
        text += f", deviation {score['quality_deviation']:.3g}"
    if verdict:
        cut = story["quality_cut"]
        if verdict["reason"] == "low_quality" and not verdict["low_floor"]:
            cut = verdict["threshold"]
        share = f"{limits['quantile']:.0%} quantile of its source"
        quantile = f"the {share} is {cut:.4g}" if cut is not None else f"the cut is the {share}"
        words = [
            word
            for word, low in (("quantile", "low_quantile"), ("floor", "low_floor"))
            if verdict[low]
        ]
        outcome = f"below the {' and the '.join(words)}" if words else "good enough"
        text += f"; {quantile}, the floor {limits['floor']:.4g}: {outcome}"
    yield "quality", text
    accepted = "accepted" if score["domain_accepted"] else "not accepted"
    yield (
        "domain",
        f"{score['domain']}, probability {score['domain_probability']:.2f}, "
        f"{score['domain_margin']:.3f} ahead of the next: {accepted}",
    )
    text = f"{score['similarity']:.3f} to its caption"
    if limits:
        fits = "fits" if score["similarity"] >= limits["similarity"] else "too low"
        text += f", at least {limits['similarity']:.3g} is needed: {fits}"
    yield "similarity", text
    if verdict:
        yield "split", verdict["split"]


def _copies(story: Record) -> Iterator[tuple[str, str]]:
    reject = story.get("reject", {})
    if "survivor" in story:
        text = f"{_short(story['survivor'])} stayed: {_evidence(reject['detail'])}"
        if reject["value"] is not None:
            text += f", cosine {reject['value']:.3f}"
            if reject["threshold"] is not None:
                text += f" (level {reject['threshold']:.3g})"
        yield "duplicate of", text
    for number, edge in enumerate(story.get("duplicates", [])):
        text = f"{_short(edge)}: {_evidence(edge['evidence'])}"
        if edge["cosine"] is not None:
            text += f", cosine {edge['cosine']:.3f}"
        if edge["hamming"] is not None:
            text += f", {edge['hamming']} of 256 bits differ"
        yield ("" if number else "copies", text)


def _candidates(story: Record, bands: Record) -> Iterator[tuple[str, str]]:
    reject = story.get("reject", {})
    if reject.get("reason") in reasons.UNUSED and reject["value"] is not None:
        what = reasons.of(reject["reason"]).measure
        yield "compared", f"{what} {reject['value']:.3g}, needed {reject['threshold']:.3g}"
    found = story.get("candidates", [])
    if not found:
        return
    low, high = bands[story["score"]["domain"]]["lower"], story["limits"]["cosine"]
    yield "nearest", f"as a seed; the band of its domain is {low:.3f} to {high:.3g}"
    for one in found:
        state = "too far" if one["cosine"] < low else "too near" if one["cosine"] >= high else "in"
        yield "", f"{one['cosine']:.3f} {state:<8} {_short(one)}"


def _neighbourhoods(story: Record) -> Iterator[tuple[str, str]]:
    for one in story.get("neighbourhoods", []):
        yield (
            "together",
            f"in neighbourhood {one['id'][:_DIGITS]}, {one['split']}, cluster {one['cluster']}, "
            f"part {one['part']}, row {one['row']}",
        )
        cosines = ["seed ", *(f"{cosine:.3f}" for cosine in one["similarities"][:4])]
        for member, cosine in zip(one["members"], cosines, strict=True):
            this = member["key"] == story["key"]
            yield "", f"{cosine} {'this picture' if this else _short(member)}"


def _places(story: Record) -> Iterator[tuple[str, str]]:
    """A line a job: DIR/{images,scores}/part-NAME.parquet, as a shell would take it."""
    jobs: dict[tuple[str, str, int], list[str]] = {}
    for place in story["places"]:
        folder, dataset, name = place["part"].rsplit("/", 2)
        jobs.setdefault((folder, name, place["row"]), []).append(dataset)
    for number, ((folder, name, row), datasets) in enumerate(jobs.items()):
        several = datasets[0] if len(datasets) == 1 else "{" + ",".join(datasets) + "}"
        yield ("" if number else "lies in", f"{folder}/{several}/{name}, row {row}")


def _evidence(kind: str) -> str:
    return reasons.EVIDENCE.get(kind, kind)


def _short(picture: dict[str, Any]) -> str:
    caption = textwrap.shorten(picture["caption"], _CAPTION, placeholder="…")
    return f"{picture['key'][:_DIGITS]} “{caption}”"
