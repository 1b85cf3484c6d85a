"""What the linter says: one finding a line."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a template, or with a file.

    Attributes:
      file: As it was named.
      id: Of the template; '' where the file as a whole is meant.
      rule: Name of the rule that found it.
      message: What is wrong, and where in the text.
    """

    file: str
    id: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.id or '-'}: {self.rule}: {self.message}"
