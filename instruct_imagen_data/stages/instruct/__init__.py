"""Derived rows become instructions: a template, filled by the row, and everything else as it was.

A part of a dataset goes in and a part of the same name comes out. Only captions, slots, markers and
the texts beside them are looked at; pictures stay columns, and are moved.
"""

from instruct_imagen_data.stages.instruct.parts import (
    Instructed,
    InstructExamples,
    Todo,
    check_conservation,
    instruct,
    instruct_part,
    todo,
)
from instruct_imagen_data.stages.instruct.sources import STAGE, Source, open_examples
from instruct_imagen_data.stages.instruct.wording import Worded, Wording, Words, words_of

__all__ = [
    "STAGE",
    "InstructExamples",
    "Instructed",
    "Source",
    "Todo",
    "Worded",
    "Wording",
    "Words",
    "check_conservation",
    "instruct",
    "instruct_part",
    "open_examples",
    "todo",
    "words_of",
]
