"""The errors that end a command with one line for the person who typed it."""


class UsageError(Exception):
    """Something the caller can put right: the message says what is wrong and what to do. Exit 2."""

    exit_code = 2


class SchemaMismatch(UsageError):
    """A part on disk does not hold the record that was asked for; names the first difference."""


class TooManyRejects(UsageError):
    """The job wrote everything, but its share of rejects is above --max-reject-rate. Exit 3."""

    exit_code = 3


class ConservationError(RuntimeError):
    """A stage lost or invented rows: a bug, never the input's fault."""
