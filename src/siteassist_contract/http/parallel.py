"""Requests that are sent at the same time, each by a thread with connections of its own."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace

from siteassist_contract.http.recorder import CallFacts, Exchange, Recorder
from siteassist_contract.http.session import Session

Call = Callable[[Session], Exchange]
"""A request, sent over the session that is passed to it."""
_MEETING = 5.0
"""Maximum time, in seconds, that a thread waits for the others."""
_groups = itertools.count(1)


class Lane:
    """A thread's recorder, whose connections stay open from one round to the next."""

    def __init__(self, recorder: Recorder) -> None:
        """Record requests for ``recorder``."""
        self._parent = recorder
        self._recorded: list[tuple[Exchange, CallFacts]] = []
        self._branch = recorder.branch(lambda *recorded: self._recorded.append(recorded))

    def session(self, session: Session) -> Session:
        """Return a session with the same credential, over this lane."""
        self._branch.until = self._parent.until
        return session.over(self._branch)

    def collect(self, group: int) -> list[Exchange]:
        """Return the exchanges recorded since the last call, as requests of a group."""
        found = [(replace(exchange, together=group), facts) for exchange, facts in self._recorded]
        withheld = [exchange for exchange in self._branch.history if exchange.withheld]
        self._recorded.clear()
        self._branch.history.clear()
        self._parent.adopt(self._branch, found)
        self._parent.history += withheld
        return [*(exchange for exchange, _ in found), *withheld]

    def close(self) -> None:
        """Close the connections, unless the parent uses them as well."""
        self._branch.close()


class Parallel:
    """A number of lanes for requests at the same time."""

    def __init__(self, recorder: Recorder) -> None:
        """Record all requests in ``recorder``."""
        self._recorder = recorder
        self._lanes: list[Lane] = []

    def __enter__(self) -> Parallel:
        """Return the lanes, which are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        for lane in self._lanes:
            lane.close()

    def send(self, *calls: tuple[Session, Call]) -> list[Exchange]:
        """Send requests at the same time, and return their exchanges in the same order.

        Raises the first error of a request once all have ended.
        """
        while len(self._lanes) < len(calls):
            self._lanes.append(Lane(self._recorder))
        barrier = threading.Barrier(len(calls))
        errors: list[BaseException] = []

        def run(lane: Lane, session: Session, call: Call) -> None:
            try:
                own = lane.session(session)
                barrier.wait(_MEETING)
                call(own)
            except BaseException as error:  # noqa: BLE001  # raised in the thread of the caller
                errors.append(error)

        threads = [
            threading.Thread(target=run, args=(lane, session, call), daemon=True)
            for lane, (session, call) in zip(self._lanes, calls, strict=False)
        ]
        for thread in threads:
            thread.start()
        with self._recorder.waiting():
            for thread in threads:
                thread.join()
        group = next(_groups)
        found = [lane.collect(group) for lane in self._lanes[: len(calls)]]
        if errors:
            raise errors[0]
        return [recorded[-1] for recorded in found]
