"""Whom a model is asked to write as, and in which shapes: what makes its templates vary.

The three tables have 20, 7 and 3 rows, so that no two of 420 requests ask for the same.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Persona:
    """A writer.

    Attributes:
      name: Kept with each draft.
      voice: Who it is, and how such a person asks for a picture.
      formality: From slang to contract.
    """

    name: str
    voice: str
    formality: str


PERSONAS = (
    Persona("art director", "an art director who briefs a freelancer before lunch", "collegial"),
    Persona("texter", "a teenager who types on a phone, mostly in lower case", "slang"),
    Persona("engineer", "an engineer who writes to a program, in precise imperatives", "technical"),
    Persona("grandparent", "a grandparent who is new to this and a little in awe", "polite"),
    Persona("tagger", "a power user who strings together tags and fragments", "terse"),
    Persona("curator", "a museum curator who writes long, balanced sentences", "formal"),
    Persona("teacher", "a school teacher who sets a task for a class", "clear and plain"),
    Persona("producer", "a film producer who leaves a voice message", "spoken, brisk"),
    Persona("lawyer", "a lawyer who words a commission so that nothing is in doubt", "contract"),
    Persona("novelist", "a novelist who thinks aloud about the picture wanted", "literary"),
    Persona("shopkeeper", "a shopkeeper who orders a picture as if over a counter", "chatty"),
    Persona("researcher", "a researcher who notes the conditions of an experiment", "dry"),
    Persona("child", "a child of nine who says what it wishes", "simple words"),
    Persona("secretary", "an assistant who passes on somebody else's wish by e-mail", "business"),
    Persona("coach", "a coach who cheers the painter on", "informal, lively"),
    Persona("archivist", "an archivist who fills in a form with labelled lines", "bureaucratic"),
    Persona("sceptic", "a client who was let down before and says what must not go wrong", "stern"),
    Persona("friend", "a friend who asks a favour over coffee", "casual"),
    Persona("translator", "a careful writer for whom English is the second language", "correct"),
    Persona("host", "a host of a quiz who turns the wish into a question or a dare", "playful"),
)
FORMS = (
    "imperatives, each with another verb",
    "questions, of several kinds",
    "fragments without a verb, and lines with labels such as Subject: or Wanted:",
    "wishes and first person statements",
    "a mixture: no two of the same grammatical shape",
    "two or more short sentences each; some begin with the slots, some end with them",
    "conditions, purposes and reasons: if, so that, because, unless, in order to",
)
LENGTHS = (
    "three to eight words each",
    "eight to thirty words each",
    "very different lengths: two under eight words, three over thirty, one over sixty",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Manner:
    """How one request wants its templates written."""

    persona: Persona
    form: str
    length: str


def manner(number: int) -> Manner:
    """The manner of a request, by its number in the run."""
    return Manner(
        PERSONAS[number % len(PERSONAS)],
        FORMS[number % len(FORMS)],
        LENGTHS[number % len(LENGTHS)],
    )
