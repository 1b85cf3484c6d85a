"""How varied the templates of a file are, with limits: lengths, first words, verbs, self-BLEU."""

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from instruct_imagen_data.tools.templates.lint.bleu import self_bleu
from instruct_imagen_data.tools.templates.lint.findings import Finding
from instruct_imagen_data.tools.templates.lint.lists import listed
from instruct_imagen_data.tools.templates.lint.read import Read
from instruct_imagen_data.tools.templates.lint.tokens import tokens

FEW = 20  # templates: of fewer no variety is asked
SHORTEST, LONGEST = 2, 120  # words of a template, slots among them
DEVIATION = 8.0  # words: least standard deviation of a file's lengths
SHARE = 0.1  # least share of templates of under SHORT words, and of more than LONG
SHORT, LONG = 8, 30
ENTROPY = 0.68  # of first words, as a share of what all different ones would have
VERB_ENTROPY = 0.5  # of first verbs
FIRST_WORD = 0.12  # most templates that begin with one word
SELF_BLEU = 0.3


@dataclasses.dataclass(frozen=True, slots=True)
class Variety:
    """Measures of a file.

    Attributes:
      shortest: Words of the shortest template, slots among them.
      median: Of the words of a template.
      longest: Words of the longest.
      deviation: Standard deviation of the lengths, in words.
      first_words: Entropy in bits of the first words.
      first_verbs: Entropy in bits of the first verbs, over templates that have one.
      self_bleu: See `bleu`.
    """

    shortest: int
    median: float
    longest: int
    deviation: float
    first_words: float
    first_verbs: float
    self_bleu: float


def entropy(drawn: Sequence[str]) -> float:
    """Of a sample, in bits; 0 for none."""
    shares = [count / len(drawn) for count in Counter(drawn).values()]
    return sum(-share * math.log2(share) for share in shares)


def measure(texts: Sequence[str]) -> Variety:
    """The measures of one or more texts."""
    said = [tokens(one) for one in texts]
    lengths = [len(one) for one in said]
    return Variety(
        shortest=min(lengths),
        median=statistics.median(lengths),
        longest=max(lengths),
        deviation=statistics.pstdev(lengths),
        first_words=entropy([one[0] for one in said if one]),
        first_verbs=entropy(_first_verbs(said)),
        self_bleu=self_bleu(said),
    )


def _first_verbs(said: Sequence[Sequence[str]]) -> list[str]:
    """The first verb of each text that has one of those that instructions are made with."""
    found = (next((word for word in text if word in listed("verbs")), "") for text in said)
    return [verb for verb in found if verb]


def findings(file: Read) -> Iterator[Finding]:
    """Templates that are too short or too long; and files of FEW or more that lack variety."""
    for one in file.templates:
        count = len(tokens(one.text))
        if not SHORTEST <= count <= LONGEST:
            yield Finding(
                file.file, one.id, "length", f"{count} words, not {SHORTEST} to {LONGEST}"
            )
    if len(file.templates) >= FEW:
        for rule, message in _of_file([one.text for one in file.templates]):
            yield Finding(file.file, "", rule, message)


def _of_file(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    said = [tokens(one) for one in texts]
    found, count = measure(texts), len(texts)
    if found.deviation < DEVIATION:
        yield "spread", f"lengths deviate by {found.deviation:.1f} words, less than {DEVIATION}"
    short = sum(len(one) < SHORT for one in said) / count
    long = sum(len(one) > LONG for one in said) / count
    if min(short, long) < SHARE:
        yield (
            "spread",
            f"{short:.0%} have under {SHORT} words and {long:.0%} over {LONG}, "
            f"at least {SHARE:.0%} should",
        )
    verbs = _first_verbs(said)
    for what, bits, share, drawn in (
        ("first words", found.first_words, ENTROPY, count),
        ("first verbs", found.first_verbs, VERB_ENTROPY, max(len(verbs), 2)),
    ):
        least = share * math.log2(drawn)
        if bits < least:
            yield "entropy", f"{what} have {bits:.2f} bits, less than {least:.2f}"
    word, most = Counter(one[0] for one in said if one).most_common(1)[0]
    if most > FIRST_WORD * count:
        yield "entropy", f"{most} of {count} begin with {word!r}: at most {FIRST_WORD:.0%}"
    if found.self_bleu > SELF_BLEU:
        yield "self_bleu", f"self-BLEU is {found.self_bleu:.2f}, more than {SELF_BLEU}"
