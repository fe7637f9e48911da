"""The plan of a run: its steps in their order, and how far each is taken in the time there is.

A run first tests every rule once, so that no rule waits for another one to be tested
further. Only then are the steps repeated in full, if they fit in the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from siteassist_contract.checks import (
    access,
    agreement,
    cross_origin,
    inputs,
    negotiation,
    overlap,
    provoked_errors,
    side_effects,
    sizes,
    sockets,
    streams,
    texts,
    times,
)
from siteassist_contract.checks.behaviour import journeys
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.derived import DERIVED
from siteassist_contract.checks.refusals import Refusals
from siteassist_contract.description import handshakes, operations
from siteassist_contract.findings import BEHAVIOUR, ERRORS, SOCKET
from siteassist_contract.findings import STREAMS as STREAM_LAYER
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.spending import costs
from siteassist_contract.profiles import FIRST, Profile, Size
from siteassist_contract.rules import (
    EVERY_ANSWER,
    HANDSHAKES,
    LISTENING,
    MESSAGES,
    PUSHES,
    REFUSALS,
    RULES,
)
from siteassist_contract.selection import Place
from siteassist_spec import Operation

KINDS = (
    *texts.CHECKS,
    *sizes.CHECKS,
    *agreement.CHECKS,
    *side_effects.CHECKS,
    *overlap.CHECKS,
    *times.CHECKS,
    *access.CHECKS,
    *inputs.CHECKS,
    *provoked_errors.CHECKS,
    *negotiation.CHECKS,
    *cross_origin.CHECKS,
)
"""The checks of each kind of question, small at first and then in full."""
SOCKETS = (
    ("handshakes", sockets.SocketChecks.check_handshakes, HANDSHAKES),
    ("pings and other texts", sockets.SocketChecks.check_texts, LISTENING),
    ("messages", sockets.SocketChecks.check_messages, PUSHES),
)
"""The checks of each operation that opens a WebSocket."""
LONG = (inputs.check_content, side_effects.check_refusals)
"""The checks that take long on a slow assistant."""
RANDOM = "random steps of two visitors"
IN_FULL = ", in full"
"""The end of the words of a step that has run before, at its smallest size."""
FIRST_PASS = 752
"""The number of requests that test every rule once, with a key. A test compares it with a run."""
FIRST_ANSWERS = 41
"""The number of answers of the assistant in them."""
_MADE_UP = 20
"""The number of generated requests for each of the maximum per operation and phase."""
_MADE_UP_ANSWERS = 0.06
"""The share of them that the assistant answers."""
PAUSES = 10.0
"""Seconds of the whole steps in which they wait: for clocks, between pieces, for connections."""
SMALLEST = Size(conversations=8, messages=4)
"""The smallest size of whole journeys; a run without the time for them keeps the short ones."""


@dataclass(frozen=True)
class Step:
    """A step of a run."""

    layer: str
    words: str
    run: Callable[[], object]
    rules: frozenset[str] = frozenset(RULES)
    """The rules that the step may test."""
    operation: str = ""
    """The only operation that the step tests; empty if it tests several."""

    @property
    def short(self) -> str:
        """The words of the same step in the first pass."""
        return self.words.removesuffix(IN_FULL).partition(": ")[0]

    @property
    def place(self) -> Place:
        """The layer and the words by which reports name the step, in full or not."""
        return self.layer, self.short


@dataclass(frozen=True)
class Pace:
    """The time that the server takes for an answer, in seconds."""

    plain: float = 0.0
    answer: float = 0.0
    """For an answer of the assistant."""


@dataclass(frozen=True)
class Work:
    """The number of requests of the steps that take a run further."""

    plain: int
    answers: int
    """Requests that the assistant answers."""

    @property
    def requests(self) -> int:
        """The number of all requests."""
        return self.plain + self.answers

    def seconds(self, pace: Pace) -> float:
        """Return the time that the requests take."""
        return PAUSES + self.plain * pace.plain + self.answers * pace.answer


@dataclass(frozen=True)
class Announcement:
    """Upper bounds on the requests of a run, printed before it begins."""

    requests: int
    conversations: int
    messages: int
    """Messages that an assistant answers, and completions."""


def expected(profile: Profile, examples: int) -> tuple[Work, Work]:
    """Return the requests of the first pass, and those of the rest of a run.

    ``examples`` is the maximum number of generated requests per operation and phase. Rounds that
    are repeated until the time is up are not included.
    """
    rest, made_up = work(profile.size), _MADE_UP * examples
    return (
        Work(FIRST_PASS - FIRST_ANSWERS, FIRST_ANSWERS),
        Work(rest.plain + made_up, rest.answers + round(made_up * _MADE_UP_ANSWERS)),
    )


def announced(profile: Profile, target: Target) -> Announcement:
    """Return the upper bounds for a gentle profile."""
    visitors = 2 if target.has_two_visitors else 1
    # A second visitor tries to change one object with each of these operations.
    isolated = [operations()[name] for name in RULES["isolation"].operations]
    changes = sum(operation.method != "GET" for operation in isolated) if visitors > 1 else 0
    return Announcement(
        requests=1080,
        conversations=28 + profile.conversations + 3 * visitors + changes,
        # Four of them only if the server holds its streams back.
        messages=13,
    )


def work(size: Size) -> Work:
    """Return the number of requests of the whole steps of a size. A test compares it with a run."""
    return Work(
        plain=3735 + 2 * size.messages + 8 * size.conversations,
        answers=130 + size.messages + size.conversations + sizes.number_of_messages(size),
    )


def affordable(profile: Profile, pace: Pace, seconds: float) -> Size | None:
    """Return the largest size whose steps take at most ``seconds``, or None."""
    size = profile.size
    while work(size).seconds(pace) > seconds:
        if size == SMALLEST:
            return None
        size = replace(
            size,
            conversations=max(size.conversations // 2, SMALLEST.conversations),
            messages=max(size.messages // 2, SMALLEST.messages),
        )
    return size


def fitting(
    steps: Sequence[Step], durations: Mapping[str, float], pace: Pace, seconds: float
) -> list[Step]:
    """Return as many steps of the smallest size as fit in ``seconds``, in their order.

    ``durations`` has those of the first pass, by the words of the step.
    """
    growth = work(SMALLEST).seconds(pace) / Work(FIRST_PASS - FIRST_ANSWERS, FIRST_ANSWERS).seconds(
        pace
    )
    unknown = sum(durations.values()) / max(1, len(durations))
    estimates = {step.words: growth * durations.get(step.short, unknown) for step in steps}
    found = set[str]()
    for step in sorted(steps, key=lambda step: estimates[step.words]):
        seconds -= estimates[step.words]
        if seconds < 0:
            break
        found.add(step.words)
    return [step for step in steps if step.words in found]


def first(context: CheckContext, *, streams_too: bool = False) -> Iterator[Step]:
    """Yield the steps that test every rule at least once.

    On a server in production they are all steps, at the size of the profile. The checks of
    behaviour test each rule on streams as well; without them, the checks of streams are among
    these steps, with ``streams_too``.
    """
    gentle = context.profile.gentle
    if not gentle:
        context.size = FIRST
    yield from _refusals(context)
    if gentle or streams_too:
        yield from _streams(context)
    yield from _derived(context, (*DERIVED, *KINDS))
    yield from _journeys(context)
    yield from _sockets(context)


def further(
    context: CheckContext, size: Size, *, parts: bool = False, streams_too: bool = True
) -> Iterator[Step]:
    """Yield the steps that test more values, longer conversations and longer lists.

    With ``parts``, long checks are several steps, which can run side by side. The checks of
    streams are among these steps with ``streams_too``.
    """
    context.size = size
    for step in chain(
        _refusals(context),
        _streams(context) if streams_too else (),
        _derived(context, KINDS) if not parts else _parts(context, KINDS),
        _journeys(context, repeated=True),
        _sockets(context),
    ):
        yield replace(step, words=step.words + IN_FULL)


def _refusals(context: CheckContext) -> Iterator[Step]:
    prepared: list[Refusals] = []

    def check(operation: Operation | None) -> None:
        if not prepared:
            prepared.append(Refusals(context))
        if operation is None:
            prepared[0].check_unknown_path()
        else:
            prepared[0].check(operation)

    for name, operation in operations().items():
        yield Step(ERRORS, name, partial(check, operation), REFUSALS, operation=name)
    yield Step(
        ERRORS,
        "a path that is not described",
        partial(check, None),
        EVERY_ANSWER | {"no-such-path"},
    )


def _derived(context: CheckContext, checks: Iterable[Check]) -> Iterator[Step]:
    for words, check, rules in checks:
        yield Step(BEHAVIOUR, words, partial(check, context), rules)


def _parts(context: CheckContext, checks: Iterable[Check]) -> Iterator[Step]:
    """Yield the checks, those of `LONG` in parts: each operation that the assistant answers."""
    costly = [name for name in operations() if costs(name)]
    others = frozenset(operations()) - {*costly}
    parts = {**{name: frozenset({name}) for name in costly}, "other operations": others}

    def run(check: Callable[[CheckContext], None], part: frozenset[str]) -> None:
        context.part = part
        try:
            check(context)
        finally:
            context.part = None

    for words, check, rules in checks:
        if check not in LONG:
            yield from _derived(context, [(words, check, rules)])
            continue
        for name, part in parts.items():
            yield Step(BEHAVIOUR, f"{words}: {name}", partial(run, check, part), rules)


def _streams(context: CheckContext) -> Iterator[Step]:
    for words, check in streams.STREAMS:
        yield Step(STREAM_LAYER, words, partial(check, context), MESSAGES)


def _sockets(context: CheckContext) -> Iterator[Step]:
    for name, operation in handshakes().items():
        checks = sockets.SocketChecks(context, operation)
        for words, check, rules in SOCKETS:
            yield Step(SOCKET, f"{name}, {words}", partial(check, checks), rules, operation=name)


def _journeys(context: CheckContext, *, repeated: bool = False) -> Iterator[Step]:
    for journey in journeys.JOURNEYS:
        if journey.grows or not repeated:
            yield Step(BEHAVIOUR, journey.words, partial(journey.run, context), journey.rules)
