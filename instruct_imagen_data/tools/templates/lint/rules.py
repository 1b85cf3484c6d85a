"""The rules about one template: name -> function of (text, dataset) that says what is wrong."""

from collections.abc import Callable, Iterator, Mapping

from instruct_imagen_data.tools.templates.lint import leaks, slots, writing
from instruct_imagen_data.tools.templates.lint.findings import Finding
from instruct_imagen_data.tools.templates.lint.read import Read

Rule = Callable[[str, str], Iterator[str]]

RULES: Mapping[str, Rule] = {
    "slots": slots.fit,
    "caption": slots.once,
    "article": slots.article,
    "plural": slots.plural,
    "glued": slots.glued,
    "subject": slots.subject,
    "style_name": slots.style_name,
    "roles": slots.roles,
    "characters": writing.characters,
    "spacing": writing.spacing,
    "doubled": writing.doubled,
    "quotes": writing.quotes,
    "case": writing.case,
    "a_or_an": writing.a_or_an,
    "ending": writing.ending,
    "leak": leaks.leak,
    "claim": leaks.claim,
    "profanity": leaks.profanity,
}


def faults(text: str, dataset: str) -> Iterator[tuple[str, str]]:
    """(rule, message) of all that is wrong with a template's text, taken alone."""
    for name, rule in RULES.items():
        for message in rule(text, dataset):
            yield name, message


def findings(file: Read) -> Iterator[Finding]:
    """What is wrong with each template of a file, taken alone."""
    for one in file.templates if file.dataset else ():
        for name, message in faults(one.text, file.dataset):
            yield Finding(file.file, one.id, name, message)
