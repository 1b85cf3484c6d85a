"""What a model is asked: the task, its slots, the rules, a manner, and what is there already.

A prompt is made of nothing but a dataset, the number of the request in the run, the accepted
templates and what the model offered before: a second run asks the same, and finds the answers.
"""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from instruct_imagen_data import keys, tasks, templates
from instruct_imagen_data.tools.templates.generate import briefs, personas

A_REQUEST = 10  # templates that one answer should hold
_SHOWN = 12  # accepted templates, and offered ones, that a prompt names
_WORN = 3  # a first word that so many templates have is used up
_WORN_SHOWN = 30
_SYSTEM = (
    "You write templates: texts by which people ask for a picture, with slots that a program fills."
    ' You answer with one JSON object, {"templates": ["...", "..."]}, and nothing else.'
)
SCHEMA = {
    "type": "object",
    "properties": {"templates": {"type": "array", "items": {"type": "string"}}},
    "required": ["templates"],
    "additionalProperties": False,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Prompt:
    """The messages of one request, and whom they ask the model to write as."""

    system: str
    user: str
    persona: str

    def messages(self) -> list[dict[str, str]]:
        """As the API takes them."""
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user},
        ]

    def sha256(self) -> str:
        """Hex, of the messages."""
        return hashlib.sha256(json.dumps(self.messages()).encode()).hexdigest()


def build(dataset: str, number: int, accepted: Sequence[str], offered: Sequence[str]) -> Prompt:
    """The prompt of a request.

    Args:
      number: Of the request in the run, from 0.
      accepted: Texts of the dataset's template file.
      offered: Texts that earlier answers of the run held, oldest first.
    """
    manner = personas.manner(number)
    captioned = tasks.TASKS[tasks.DATASETS[dataset].task].captioned
    lines = [
        f"The task: {briefs.TASKS[dataset]}.",
        "",
        "Slots:",
        *_slots(dataset),
        "",
        "Rules for each template:",
        *(f"- {rule}" for rule in (*briefs.RULES, *([briefs.CAPTION_RULE] if captioned else []))),
        "",
        f"Write as {manner.persona.voice}. Tone: {manner.persona.formality}.",
        f"Shape: {manner.form}.",
        f"Length: {manner.length}; a slot counts as one word.",
        *_avoid(number, accepted, offered),
        "",
        f"Write {A_REQUEST} templates, each with other words, another beginning and another"
        " build than the rest: no two that differ by a few swapped words.",
    ]
    return Prompt(_SYSTEM, "\n".join(lines), manner.persona.name)


def _slots(dataset: str) -> list[str]:
    """A line for each slot: whether it must be there, and what fills it."""
    task = tasks.TASKS[tasks.DATASETS[dataset].task]
    lines = []
    if task.captioned:
        filled = briefs.CAPTIONS[dataset]
        lines.append(f"- {{caption}}: exactly once. The picture's caption, such as {filled}")
    for number, role in enumerate(task.references, 1):
        lines.append(
            f"- {{ref#{number}}}: at least once. Becomes a marker and the text beside it:"
            f" {briefs.ROLES[role]}. For a second mention {{mark#{number}}} is the bare marker,"
            f' "[ref#{number}]".'
        )
    for name in sorted(templates.known_slots(dataset) & briefs.SLOTS.keys()):
        lines.append(f"- {{{name}}}: {briefs.SLOTS[name]}; in one template of ten at most.")
    return lines


def _avoid(number: int, accepted: Sequence[str], offered: Sequence[str]) -> list[str]:
    """What is there already: first words that are used up, and some whole templates."""
    first = Counter(text.split()[0].strip(",.:;!?\"'").lower() for text in (*accepted, *offered))
    worn = [word for word, count in first.most_common(_WORN_SHOWN) if count >= _WORN and word]
    drawn = sorted(accepted, key=lambda text: keys.unit(text, f"shown {number}"))[:_SHOWN]
    lines = []
    if worn:
        lines += ["", f"No template begins with one of these words: {', '.join(sorted(worn))}."]
    if drawn or offered:
        lines += ["", "These are there already; write nothing that is close to one of them:"]
        lines += [f"- {json.dumps(text)}" for text in (*drawn, *offered[-_SHOWN:])]
    return lines
