"""`instruct-imagen templates generate`: a model writes templates; they wait as drafts."""

import contextlib
import dataclasses
import functools
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from instruct_imagen_data import command_line, templates
from instruct_imagen_data.annotators import chat
from instruct_imagen_data.errors import UsageError
from instruct_imagen_data.tools.templates import drafts
from instruct_imagen_data.tools.templates.generate.answers import Answers, alone
from instruct_imagen_data.tools.templates.generate.endpoint import Endpoint
from instruct_imagen_data.tools.templates.generate.reply import Tokens
from instruct_imagen_data.tools.templates.generate.run import BARREN, Estimate, Plan, Run

_TIMEOUT = 120.0  # seconds without a byte; an answer comes in one piece

DEAREST = chat.Prices(15.0, 75.0)  # so that a limit holds where nobody says what a model costs


@dataclasses.dataclass(frozen=True)
class Options:
    """Has a language model write templates of a dataset; they wait as drafts until reviewed.

    Any OpenAI-compatible endpoint will do; its key is read from $OPENAI_API_KEY. Answers are kept:
    the same command again asks for nothing twice, and goes on where it ended.

    Attributes:
        dataset: Name of the dataset, such as wikiart.
        model: Name of the model, as the endpoint calls it.
        count: Drafts wanted, with those that this command made before.
        base_url: Address of the endpoint.
        max_cost: US dollars that all answers of the model for the dataset may cost.
        price_input: US dollars for a million tokens that the model reads; with --max-cost alone,
            what the dearest models cost: 15 to read, 75 to write.
        price_output: US dollars for a million tokens that the model writes.
        temperature: Of the answers; more is more varied, 0 to 2.
        seed: Another seed has other templates written.
        output: Folder of the drafts, and of the answers that are kept.
        templates: Folder of the template files; the shipped ones by default.
    """

    dataset: str
    model: str
    count: int = 100
    base_url: str = "https://api.openai.com/v1"
    max_cost: float | None = None
    price_input: float | None = None
    price_output: float | None = None
    temperature: float = 1.0
    seed: int = 0
    output: str = drafts.FOLDER
    templates: str = ""


def prices_of(options: Options) -> chat.Prices | None:
    """The prices that are given; without any, DEAREST if there is a limit to keep, else None.

    Raises:
      UsageError: one of two, or a number that is no price or no limit.
    """
    given = (options.price_input, options.price_output)
    flags = "--price-input and --price-output, US dollars a million tokens (0 where it is free)"
    for value in (*given, options.max_cost):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise UsageError(f"{value} is no price and no limit: give 0 or more US dollars")
    if options.price_input is None or options.price_output is None:
        if given != (None, None):
            raise UsageError(f"one price is missing: give both {flags}")
        return DEAREST if options.max_cost is not None else None
    return chat.Prices(options.price_input, options.price_output)


def plan_of(options: Options) -> Plan:
    """The plan of a run.

    Raises:
      UsageError: no such dataset, a number out of its range, or a template file that is unfit.
    """
    drafts.path_of(options.dataset, options.output)  # names the datasets where there is none
    if options.count < 1:
        raise UsageError(f"--count {options.count}: at least one draft is wanted")
    if not 0 <= options.temperature <= 2:
        raise UsageError(f"--temperature {options.temperature} is not between 0 and 2")
    file = templates.path_of(options.dataset, options.templates)
    accepted = templates.read(file).templates if file.exists() else ()
    return Plan(
        options.dataset, options.count, options.model, options.temperature, options.seed,
        tuple(one.text for one in accepted), options.output,
    )  # fmt: skip


def generate(options: Options, wait: Callable[[float], None]) -> int:
    """Writes drafts, with a progress bar, and prints what came of it; 0.

    Args:
      wait: Waits so many seconds, where the endpoint wants time.

    Raises:
      UsageError: wrong use, an endpoint that refuses or fails, or fewer drafts than wanted; what
        was drafted is on disk, and printed.
    """
    prices, plan = prices_of(options), plan_of(options)
    client = chat.connect(options.base_url, _TIMEOUT, retries=0)
    with contextlib.ExitStack() as open_ones:
        path = open_ones.enter_context(alone(Path(options.output), options.dataset))
        answers = Answers(path, options.model, prices, options.max_cost)
        before = answers.spent
        open_ones.callback(client.close)
        bar = open_ones.enter_context(
            tqdm(total=plan.count, unit=" drafts", desc="generate", file=sys.stderr)
        )
        endpoint = Endpoint(client, answers, wait, bar.set_postfix_str)
        announce = _announcer(options, answers)
        run = Run(plan, answers, endpoint.ask, announce, bar.update)
        try:
            run.finish()
        except KeyboardInterrupt as error:
            raise UsageError("stopped; the same command goes on from there") from error
        finally:
            bar.refresh()
            bar.close()
            print(_summary(options, run, answers, before))
    if run.tally.drafts < plan.count:
        raise UsageError(
            f"{run.tally.drafts} of {plan.count} drafts: {BARREN} rounds in a row brought no new"
            " one; another --seed, --temperature or --model may"
        )
    return 0


def _announcer(options: Options, answers: Answers) -> Callable[[Estimate], None]:
    def announce(estimate: Estimate) -> None:
        cost = answers.cost(estimate.tokens)
        dollars = "at a price that is not known" if cost is None else f"about {cost:.2f} US dollars"
        cap = ""
        if options.max_cost is not None:
            spent = answers.cost(answers.spent) or 0.0
            cap = f"; --max-cost {options.max_cost:g} ends it, and {spent:.2f} of it is spent"
            if options.price_input is None:
                cap += ", at the prices of the dearest models: give --price-input, --price-output"
        tqdm.write(
            f"{options.dataset}: about {estimate.requests} requests to {options.model},"
            f" {estimate.tokens.read:,} tokens to read and {estimate.tokens.written:,} to write:"
            f" {dollars}{cap}"
        )

    return announce


def _summary(options: Options, run: Run, answers: Answers, before: Tokens) -> str:
    """What came of a run, and what to do next."""
    tally, took = run.tally, answers.spent - before
    now, ever = answers.cost(took), answers.cost(answers.spent)
    cost = "cost not known" if now is None else f"{now:.4f} US dollars, {ever:.4f} with runs before"
    unknown = f", {answers.unknown} requests counted at their most" if answers.unknown else ""
    told = [
        f"{tally.drafts} of {options.count} drafts ({tally.new} new) in"
        f" {drafts.path_of(options.dataset, options.output)}",
        f"{answers.requests} requests, {tally.kept} answers that were kept",
        f"refused {_counts(tally.refused)}",
        f"malformed answers {_counts(tally.malformed)}",
        f"{took.read:,} tokens read and {took.written:,} written{unknown}: {cost}",
        "next: instruct-imagen templates review",
    ]
    return f"{options.dataset}: " + "; ".join(told)


def _counts(found: Counter[str]) -> str:
    """How many there are, and of what: "3 (duplicate 2, too long 1)"."""
    kinds = ", ".join(f"{name} {count}" for name, count in found.most_common())
    return f"{found.total()} ({kinds})" if kinds else "0"


def main(argv: Sequence[str], wait: Callable[[float], None] = time.sleep) -> int:
    """Runs the subcommand; its exit code. `wait` waits so many seconds, for a busy endpoint."""
    execute = functools.partial(generate, wait=wait)
    return command_line.run("templates generate", Options, execute, argv)
