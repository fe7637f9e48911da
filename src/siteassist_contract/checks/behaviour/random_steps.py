"""Random steps of two visitors.

hypothesis chooses the steps, and minimises them when a rule is violated. It draws
numbers that select from the model, not ids of the server, so that the same draws give
the same steps.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Flaky, StopTest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from siteassist_contract.checks.behaviour.journeys import (
    EMOJI,
    LONG,
    PAGE,
    check_renewal,
    intrude,
    request_unknown_object,
)
from siteassist_contract.checks.behaviour.model import KnownConversation
from siteassist_contract.checks.behaviour.visitor import ORDERS, Visitor
from siteassist_contract.checks.context import SECOND, CheckContext
from siteassist_contract.checks.hard_values import packs_for
from siteassist_contract.findings import ViolationError
from siteassist_contract.rules import LISTS
from siteassist_contract.verdict import ContractBrokenError, InternalError

Returned = TypeVar("Returned")

_PICK = st.integers(0, 10**6)
_STEPS = 25
# Requests take time, and some steps send none.
_SUPPRESSED = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
)
_SEQUENCES = 40
_MINIMISING = 8.0
"""Maximum time, in seconds, to minimise one violation."""

TESTED = LISTS | {"isolation", "unknown-not-found", "device-status", "device-visitor"}
"""The rules that random steps test."""

(HARD,) = (pack.value for pack in packs_for(None, in_query=False))
"""All hard texts in one, so that a single draw has each of them."""
HARD_REASON = packs_for(256, in_query=False)[1].value
"""The second group of those that fit into the reason of a closing."""
# `codec="utf-8"` allows the same characters, but takes three seconds at its first use.
_CHARACTERS = st.characters(
    exclude_categories=("Cs",),  # type: ignore[arg-type]  # read as a str, not as a literal
    exclude_characters="\x00",
)
CONTENT = st.one_of(
    st.sampled_from(
        ["x", "Hello", "How long does shipping take?", EMOJI, LONG, "\n", " pad ", HARD]
    ),
    st.text(_CHARACTERS, min_size=1, max_size=60),
    st.integers(1, 10_000).map(lambda length: "longer " * (length // 7) + "x" * (length % 7)),
)
PAGE_CONTEXT = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={name: st.sampled_from([None, text, HARD]) for name, text in PAGE.items()},
    ),
)


def _guarded(called: Callable[..., Returned]) -> Callable[..., Returned]:
    """Return a function whose unexpected errors end the run; hypothesis would minimise them."""

    @functools.wraps(called)
    def guarded(self: RandomSteps, *args: Any, **values: Any) -> Returned:
        try:
            return called(self, *args, **values)
        except (ViolationError, ContractBrokenError):
            raise
        except Exception as error:
            raise InternalError.of(error) from error

    return guarded


def _step(**drawn: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator for a step with values that hypothesis draws."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        decorated: Callable[..., None] = rule(**drawn)(  # type: ignore[no-untyped-call]  # untyped
            _guarded(function)
        )
        return decorated

    return decorate


class RandomSteps(RuleBasedStateMachine):
    """One sequence of random steps.

    A subclass for each series sets ``context`` and ``watch``.
    """

    context: CheckContext
    watch: Callable[[], None]

    def __init__(self) -> None:
        super().__init__()
        self.visitors: list[Visitor] = []
        """The visitors of this sequence. A sequence may end before the second one arrives."""

    @initialize()
    @_guarded
    def arrive(self) -> None:
        """Create two visitors; without a key, use the visitors of the tokens."""
        self.watch()
        self.secret = f"secret {uuid.uuid4().hex}"
        self.visitors.append(self.context.visitor())
        if self.context.target.has_two_visitors:
            self.visitors.append(self.context.visitor(SECOND))

    def continued(self) -> None:
        """Watch the time, and keep the sessions of both visitors from expiring meanwhile."""
        self.watch()
        for visitor in self.visitors:
            visitor.stay()

    def mine(self, pick: int) -> tuple[Visitor, KnownConversation]:
        """Pick a visitor and one of their conversations."""
        pairs = [(v, k) for v in self.visitors for k in v.known.values() if not k.older]
        return pairs[pick % len(pairs)]

    @_guarded
    def any_conversation(self) -> bool:
        """Whether a visitor has a conversation that the run started."""
        return any(not k.older for v in self.visitors for k in v.known.values())

    @_step(pick=_PICK, body=st.sampled_from([None, {}, {"context": {}}, {"context": PAGE}]))
    def start(self, pick: int, body: dict[str, Any] | None) -> None:
        """Start a conversation, with or without a body."""
        self.continued()
        if body and body["context"]:
            body = {"context": {"pageUrl": PAGE["url"]}}
        self.visitors[pick % len(self.visitors)].start(body)

    @precondition(any_conversation)
    @_step(
        pick=_PICK,
        content=CONTENT,
        stream=st.sampled_from([None, False, True]),
        page=PAGE_CONTEXT,
        with_page=st.booleans(),
    )
    def send(
        self,
        pick: int,
        content: str,
        stream: bool | None,
        page: dict[str, Any] | None,
        with_page: bool,
    ) -> None:
        """Send a message."""
        self.continued()
        visitor, known = self.mine(pick)
        extra = {"pageContext": page} if with_page else {}
        visitor.send(known, content, stream=stream, extra=extra)

    @precondition(any_conversation)
    @_step(pick=_PICK)
    def get(self, pick: int) -> None:
        """Read a conversation and all of its messages."""
        self.continued()
        visitor, known = self.mine(pick)
        visitor.read(known)
        visitor.history(known)

    @precondition(any_conversation)
    @_step(
        pick=_PICK,
        limit=st.one_of(st.none(), st.integers(1, 5), st.just(1000)),
        offset=st.one_of(st.none(), st.integers(0, 6)),
        role=st.sampled_from([None, "user", "assistant", "human_agent"]),
        status=st.sampled_from([None, None, "complete", "streaming", "error"]),
    )
    def messages(
        self, pick: int, limit: int | None, offset: int | None, role: str | None, status: str | None
    ) -> None:
        """List messages, with a filter or by page."""
        self.continued()
        visitor, known = self.mine(pick)
        visitor.history(known, limit=limit, offset=offset, role=role, status=status)

    @_step(
        pick=_PICK,
        limit=st.one_of(st.none(), st.integers(1, 4), st.just(100)),
        offset=st.one_of(st.none(), st.integers(0, 4)),
        status=st.sampled_from([None, "open", "closed"]),
        order_by=st.one_of(st.none(), st.sampled_from(ORDERS)),
        order_dir=st.sampled_from([None, "asc", "desc"]),
    )
    def conversations(
        self,
        pick: int,
        limit: int | None,
        offset: int | None,
        status: str | None,
        order_by: str | None,
        order_dir: str | None,
    ) -> None:
        """List conversations: filtered, sorted or by page."""
        self.continued()
        visitors = self.visitors
        visitor = visitors[pick % len(visitors)]
        if visitor.exclusive:
            visitor.page(
                limit=limit, offset=offset, status=status, order_by=order_by, order_dir=order_dir
            )

    @precondition(any_conversation)
    @_step(pick=_PICK, which=_PICK, feedback=st.sampled_from(["like", "dislike", None]))
    def rate(self, pick: int, which: int, feedback: str | None) -> None:
        """Rate a message."""
        self.continued()
        visitor, known = self.mine(pick)
        if known.messages:
            visitor.rate(known, known.messages[which % len(known.messages)], feedback)

    @precondition(any_conversation)
    @_step(
        pick=_PICK,
        body=st.sampled_from(
            [None, {}, *({"closeReason": text} for text in ("Done 🎉", "x" * 256, HARD_REASON))]
        ),
    )
    def close(self, pick: int, body: dict[str, Any] | None) -> None:
        """Close a conversation, which may be closed already."""
        self.continued()
        visitor, known = self.mine(pick)
        visitor.close(known, body)

    @precondition(any_conversation)
    @_step(pick=_PICK)
    def intrude(self, pick: int) -> None:
        """Try all operations as the other visitor, request an unknown object, renew a session."""
        self.continued()
        visitor, known = self.mine(pick)
        stranger = next((other for other in self.visitors if other is not visitor), None)
        if stranger is None:
            return
        intrude(self.context, stranger, known, self.secret)
        visitor.read(known)
        visitor.history(known)
        request_unknown_object(self.context, visitor, str(uuid.uuid4()), pick)
        if self.context.has_key:
            check_renewal(self.context, self.visitors[0])

    @_guarded
    def teardown(self) -> None:
        """Read all objects once more at the end of the sequence."""
        for visitor in self.visitors:
            for known in list(visitor.known.values()):
                if not known.older:
                    visitor.read(known)
            if visitor.exclusive:
                visitor.pages(3)


class OutOfTimeError(BaseException):
    """The expiry of the time for random steps.

    Not an `Exception`: hypothesis would treat it as a failure.
    """


def run_random_steps(
    context: CheckContext, *, seed_: int, until: float, database: ExampleDatabase | None
) -> None:
    """Run series of random steps until ``until``, a time of `time.monotonic`."""
    findings = context.findings
    findings.settle(findings.violations)
    number = 0
    while time.monotonic() < until:
        # Each series has a seed of its own; the first has ``seed_`` itself.
        _series(context, seed_ + number, until, database)
        findings.settle(findings.violations)
        number += 1


def _series(
    context: CheckContext, seed_: int, until: float, database: ExampleDatabase | None
) -> None:
    """Run sequences of random steps, until the first one with a new violation is minimised."""
    findings = context.findings
    known = set(findings.violations)
    deadline = until

    def watch() -> None:
        nonlocal deadline
        if set(findings.violations) - known and deadline == until:
            deadline = min(until, time.monotonic() + _MINIMISING)
        if time.monotonic() > deadline:
            raise OutOfTimeError

    here = {"context": context, "watch": staticmethod(watch)}
    machine = type("RandomSteps", (RandomSteps,), here)
    chosen = settings(
        # Independent of the environment: hypothesis's CI profile would ignore the seed.
        settings.get_profile("default"),
        max_examples=_SEQUENCES,
        stateful_step_count=_STEPS,
        database=database,
        deadline=None,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=_SUPPRESSED,
        print_blob=False,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
    )
    findings.shorten = True
    try:
        run_state_machine_as_test(seed(seed_)(machine), settings=chosen)
    except (ViolationError, ContractBrokenError, OutOfTimeError):
        # The violation is already recorded, with the fewest steps so far.
        pass
    except (Flaky, ExceptionGroup) as error:
        unexpected = _unexpected(error)
        if unexpected is not None:
            raise InternalError.of(unexpected) from None
    finally:
        findings.shorten = False


def _unexpected(error: BaseException) -> BaseException | None:
    """Return the first error in a group that is not about a violation, or None.

    A server with state may answer differently when hypothesis repeats the steps of a violation,
    which is then flaky. An error of the tests counts even if it does not occur again.
    """
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_unexpected, error.exceptions)), None)
    if isinstance(error, ViolationError | ContractBrokenError | Flaky):
        return None
    # In a group, hypothesis wraps the `StopTest` of a test case that it ended early.
    return None if isinstance(error.__cause__, StopTest) else error
