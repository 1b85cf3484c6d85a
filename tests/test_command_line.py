"""Options from a command line: strict, and helpful about what is wrong."""

import dataclasses

import pytest

from instruct_imagen_data import command_line
from instruct_imagen_data.errors import TooManyRejects, UsageError


@dataclasses.dataclass(frozen=True)
class Options:
    """Counts things.

    At length.

    Attributes:
        names: What to count.
        min_side: Least side.
        rate: A share.
        label: A text.
        limit: None for no limit.
        quick: Whether to hurry.
    """

    names: tuple[str, ...]
    min_side: int
    rate: float = 0.5
    label: str = ""
    limit: float | None = None
    quick: bool = False


def parse(*arguments: str) -> Options:
    return command_line.parse("count", Options, arguments, ("names",), other_flags=["--runner"])


def test_values() -> None:
    found = parse(
        "a", "b", "--min-side", "3", "--rate=0.25", "--quick", "--limit", "2", "--label=-x"
    )
    assert found == Options(("a", "b"), 3, 0.25, "-x", 2.0, True)
    assert parse("a", "--min-side", "3") == Options(("a",), 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["a", "--min-side", "3", "--min-sid", "4"],
            "unknown flag --min-sid: did you mean --min-side",
        ),
        (["a", "--min_side", "3"], "unknown flag --min_side: did you mean --min-side"),
        (["a", "--min-side", "3", "--runer=x"], "unknown flag --runer: did you mean --runner"),
        (["a", "--zzzz"], "unknown flag --zzzz: see instruct-imagen count --help"),
        (["a", "--min-side", "many"], "min.side.*many"),
        (["a", "--min-side"], "min.side"),
        (["a"], "min.side"),
        (["--min-side", "3"], "names"),
    ],
)
def test_wrong_use(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse(*arguments)
    assert "\n" not in str(caught.value)


def test_a_pattern_the_shell_took_apart() -> None:
    @dataclasses.dataclass(frozen=True)
    class Flags:
        """X.

        Attributes:
            input: A pattern.
        """

        input: str

    with pytest.raises(UsageError, match=r"b.tar is no flag; quote a pattern"):
        command_line.parse("count", Flags, ["--input", "a.tar", "b.tar", "c.tar"])


def test_run_tells_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    def execute(options: Options) -> int:
        if options.min_side < 0:
            raise UsageError("no such side")
        if options.min_side == 0:
            raise TooManyRejects("too many")
        return options.min_side

    def run(*arguments: str) -> int:
        return command_line.run("count", Options, execute, arguments, ("names",))

    assert [run("a", "--min-side", n) for n in ("7", "0", "-1")] == [7, 3, 2]
    assert capsys.readouterr().err == (
        "instruct-imagen count: too many\ninstruct-imagen count: no such side\n"
    )
    assert run("--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(
        words in text for words in ("Counts things.", "At length.", "--min-side", "Least side.")
    )


def test_a_positional_of_many_that_may_be_left_out() -> None:
    @dataclasses.dataclass(frozen=True)
    class Flags:
        """X.

        Attributes:
            files: What to read.
            quick: Whether to hurry.
        """

        files: tuple[str, ...] = ()
        quick: bool = False

    assert command_line.parse("read", Flags, ["--quick"], ("files",)) == Flags((), True)
    assert command_line.parse("read", Flags, ["a", "b"], ("files",)) == Flags(("a", "b"))


def test_a_flag_of_many_is_given_once_or_again() -> None:
    @dataclasses.dataclass(frozen=True)
    class Flags:
        """X.

        Attributes:
            ref: What to cite.
            quick: Whether to hurry.
        """

        ref: tuple[str, ...] = ()
        quick: bool = False

    assert command_line.parse("draw", Flags, ["--quick"]) == Flags((), True)
    for arguments in (["--ref", "1=a;b", "2=c"], ["--ref", "1=a;b", "--ref", "2=c"]):
        assert command_line.parse("draw", Flags, arguments) == Flags(("1=a;b", "2=c"))
    assert command_line.parse("draw", Flags, ["--ref=x"]) == Flags(("x",))
    assert command_line.parse("draw", Flags, []) == Flags()  # nothing is left of the calls before
