"""The layer `shapes`: generated requests, valid and invalid, by schemathesis.

schemathesis runs in a process of its own, which reports its results line by line.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from siteassist_contract import interrupts
from siteassist_contract.checks import stream_grammar
from siteassist_contract.checks.context import FIRST, SECOND, CheckContext
from siteassist_contract.checks.generated.configuration import DATABASE, Choices, write
from siteassist_contract.description import operations
from siteassist_contract.http import redaction
from siteassist_contract.http.recorder import Exchange, GoneError, TimeUpError, UnansweredError
from siteassist_contract.rules import RULES
from siteassist_contract.tolerance import CIRCUMSTANCES
from siteassist_contract.verdict import CannotRunError, InternalError

PATIENCE = 2.0
"""Seconds that the engine may take to stop after an interrupt."""
STOPPING = 1.0
"""Seconds that it may take as a rule, which a run reserves."""
_KILL_DELAY = 1.0
"""Seconds after the end of the time at which an engine without output is killed."""
UNFINISHED = "made-up requests, cut short by the time"
"""The description of a phase that did not come to its end."""
_LONGEST_OUTPUT = 20_000
"""Maximum length of the engine's own output in an error, in characters; its end counts."""

EXPECTED = {
    "no-server-error": "an answer, or a refusal with a status below 500",
    "described": "an answer that matches openapi.yaml",
    "bounds": "400 or 422 for a request that violates the description",
    "accepted": "a valid request is accepted",
    "read-back": "a created object can be read",
    "token-required": "401 for a request without a valid token",
    "isolation": "403 or 404 for another visitor's object",
    "fits-request": "an answer that matches its request",
    "stream-end": stream_grammar.EXPECTED[stream_grammar.END],
    "answered": "an answer",
}


@dataclass
class Shapes:
    """Generated requests to one server."""

    context: CheckContext
    examples: int
    seed: int
    until: float
    """Time of `time.monotonic` at which to stop."""
    workers: int = 1
    """Number of threads."""
    database: str | None = None
    """Location of the example database: a folder or a Redis URL; see `example_databases`."""
    out_of_time: bool = False
    """Whether the run stopped because its time was up."""
    operations: Sequence[str] = field(default_factory=lambda: list(operations()))
    """The operations to request; by default all."""
    answered: Counter[str] = field(default_factory=Counter)
    """Number of generated requests that were answered, by operation."""

    def run(self) -> Iterator[str]:
        """Run all phases; yield the description of each when it is done.

        Raises `CannotRunError` if schemathesis cannot start or log in, `GoneError` if the server
        no longer answers, and `InternalError` if schemathesis fails or ends early.
        """
        target = self.context.target
        self.context.devices.update(zip((FIRST, SECOND), target.devices, strict=True))
        if target.token is not None:
            self.context.devices.pop(FIRST, None)
        if target.second_token is not None:
            self.context.devices.pop(SECOND, None)
        with contextlib.ExitStack() as stack:
            try:
                folder = tempfile.TemporaryDirectory(prefix="siteassist-contract-")
                name = stack.enter_context(folder)
                write(Path(name), target, self._choices())
            except OSError as error:
                problem = f"temporary files cannot be written: {error.strerror}"
                raise CannotRunError(problem) from None
            command = [sys.executable, "-m", "siteassist_contract.checks.generated.engine", name]
            environment = {
                **os.environ,
                # The hooks redact these in their output.
                redaction.API_KEY: target.api_key or "",
                redaction.TOKEN: target.token or "",
                redaction.SECOND_TOKEN: target.second_token or "",
                DATABASE: self.database or "",
                # Hypothesis writes a cache, by default to the current folder.
                "HYPOTHESIS_STORAGE_DIRECTORY": name,
                # Otherwise requests sends a password from ~/.netrc in place of the token.
                "NETRC": os.devnull,
            }
            log = stack.enter_context(tempfile.TemporaryFile())
            with _running(command, environment, self.until + _KILL_DELAY, log) as lines:
                yield from self._follow(lines, log)

    def _choices(self) -> Choices:
        return Choices(
            self.examples,
            self.seed,
            self.workers,
            database=self.database is not None,
            operations=frozenset(self.operations),
            answers=self.context.recorder.spending.left,
        )

    def _follow(self, lines: Iterator[dict[str, Any]], log: IO[bytes]) -> Iterator[str]:
        end = _End()
        for line in lines:
            if "unanswered" in line:
                end.unanswered = line["unanswered"] or "a request"
                self._judge_unanswered(line)
            if time.monotonic() > self.until:
                break
            self._count(line)
            if "rule" in line:
                self._record_violation(line)
            elif "problem" in line:
                end.problems.append(self._tidy(line["problem"]))
            elif "error" in line:
                end.errors.append(self._tidy(line["error"]))
                end.details = end.details or self._tidy(line.get("details", ""))
            elif "done" in line:
                end.complete = not line["interrupted"]
                yield line["done"]
        # The engine either had more output than time, or had none and was killed.
        self.out_of_time = time.monotonic() > self.until
        if self.out_of_time and not end.errors:
            yield UNFINISHED
        else:
            end.require_complete(self._tidy(_tail(log)))

    def _tidy(self, text: str) -> str:
        return self.context.findings.secrets.text(str(text))

    def _judge_unanswered(self, line: Mapping[str, Any]) -> None:
        """Record a violation for an unanswered request, if the server still answers others.

        Without time for another request, nothing is recorded.
        Raises `GoneError` if it does not.
        """
        try:
            self.context.anonymous.call("getMe")
        except UnansweredError as again:
            raise GoneError(f"the server no longer answers: {again}") from None
        except TimeUpError:
            return
        operation, findings = line["unanswered"], self.context.findings
        if operation:
            exchanges = [self._exchange(each) for each in line["exchanges"]]
            findings.tested["answered", operation] += 1
            expected = EXPECTED["answered"]
            findings.violate("answered", operation, expected, line["reason"], exchanges)

    def _count(self, line: Mapping[str, Any]) -> None:
        findings = self.context.findings
        for name, status, count in line.get("answered", ()):
            findings.answered[name, status] += count
            self.answered[name] += count
            if status in CIRCUMSTANCES:
                findings.circumstances[name, status] += count
            findings.requests[findings.layer, name] += count
            self.context.recorder.requests += count
        for refused in line.get("refused", ()):
            exchange = self._exchange(refused)
            findings.see(exchange, [exchange])
            self.context.recorder.requests += 1
        for made in line.get("made", ()):
            findings.origins.remember(self._exchange(made))
        spending = self.context.recorder.spending
        for name, count in line.get("spent", ()):
            spending.answers[name] += count
        spending.withheld += line.get("withheld", 0)
        self.context.recorder.lost += line.get("lost", 0)
        self.context.recorder.requests += line.get("lost", 0)
        for rule, name, count in line.get("tested", ()):
            # Without a second visitor, the check returns at once.
            if rule != "isolation" or self.context.target.has_two_visitors:
                findings.tested[rule, name] += count

    def _record_violation(self, line: Mapping[str, Any]) -> None:
        rule = line["rule"]
        exchanges = [self._exchange(each) for each in line["exchanges"]]
        # The lines of a message of schemathesis; a text of the server is on one line of it.
        message = "; ".join(filter(None, map(str.strip, line["message"].splitlines())))
        actual = f"{line['status']}: {message}" if line["status"] else message
        findings = self.context.findings
        # `_count` counted the rule as tested already.
        findings.violate(
            rule,
            line["operation"],
            EXPECTED.get(rule, RULES[rule].words),
            actual,
            exchanges,
            line["place"],
        )

    def _exchange(self, line: Mapping[str, Any]) -> Exchange:
        parts = urlsplit(line["url"])
        query = f"?{parts.query}" if parts.query else ""
        return Exchange(
            operation=line["operation"],
            credential=line["credential"],
            method=line["method"],
            target=parts.path.removeprefix(urlsplit(self.context.target.base_url).path) + query,
            body=line["body"].encode("latin-1"),
            content_type=line["content_type"],
            status=line["status"],
            headers=line["headers"],
            content=line["content"].encode("latin-1"),
            seconds=line["seconds"],
            first=0.0,
            pieces=1,
        )


@dataclass
class _End:
    """The end of the engine, and the reasons for it."""

    problems: list[str] = field(default_factory=list)
    """Conditions that prevent the requests."""
    errors: list[str] = field(default_factory=list)
    """Errors in the code of the tests or of schemathesis."""
    details: str = ""
    """The traceback of the first error."""
    unanswered: str = ""
    """The operation without an answer; empty if all were answered."""
    complete: bool = False

    def require_complete(self, log: str) -> None:
        """Raise an error unless the engine has run to its end; ``log`` is its other output."""
        if self.errors:
            raise InternalError(_summary(self.errors), self.details or log)
        if self.problems:
            raise CannotRunError(_summary(self.problems))
        if not self.complete and self.unanswered:
            raise CannotRunError(f"stopped because {self.unanswered} got no answer")
        if not self.complete:
            # The last line of a traceback is the error.
            reason = log.strip().splitlines()[-1:]
            raise InternalError(_summary([": ".join(["schemathesis ended early", *reason])]), log)


@contextlib.contextmanager
def _running(
    command: list[str], environment: Mapping[str, str], until: float, log: IO[bytes]
) -> Iterator[Iterator[dict[str, Any]]]:
    """Run the engine, and yield its output. The engine is stopped at the end of the block.

    Its other output, such as tracebacks, is written to ``log``.
    It is killed at ``until``, a time of `time.monotonic`, if it still runs.
    """
    with contextlib.ExitStack() as stack:
        # An interrupt must not leave an engine behind that nothing will stop.
        with interrupts.deferred():
            engine = _Engine(
                # In a session of its own, so that Ctrl-C reaches only this process.
                subprocess.Popen(  # noqa: S603  # the command is ours
                    command,
                    env={**environment, "PYTHONIOENCODING": "utf-8"},
                    stdout=subprocess.PIPE,
                    stderr=log,
                    encoding="utf-8",
                    start_new_session=True,
                )
            )
            stack.callback(engine.stop)
        alarm = threading.Timer(max(0.0, until - time.monotonic()), engine.process.kill)
        alarm.daemon = True
        stack.callback(alarm.cancel)
        alarm.start()
        yield _parsed(engine.readline)


@dataclass
class _Engine:
    """The process of the engine."""

    process: subprocess.Popen[str]
    _has_begun: bool = False

    def readline(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout is not None  # noqa: S101  # because of PIPE
        line = self.process.stdout.readline()
        self._has_begun = True
        return line

    def stop(self) -> None:
        """Stop the engine, and wait for its end."""
        with self.process:
            try:
                # Before its first line it has nothing to end in order, and would print a traceback.
                if self._has_begun and self.process.poll() is None:
                    self.process.send_signal(signal.SIGINT)
                    self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            finally:
                self.process.kill()


def _parsed(readline: Callable[[], str]) -> Iterator[dict[str, Any]]:
    for line in iter(readline, ""):
        with contextlib.suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                yield value


def _tail(log: IO[bytes]) -> str:
    """Return the end of the engine's other output."""
    log.seek(0)
    return log.read().decode("utf-8", "replace")[-_LONGEST_OUTPUT:]


def _summary(problems: list[str]) -> str:
    lines = [" ".join(problem.split()) for problem in dict.fromkeys(problems)]
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return f"{lines[0][:300]}{more}"
