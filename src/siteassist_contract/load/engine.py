"""Load tests with Locust: in this process, or in workers that a master controls.

Locust starts and ends the visitors, measures times, and merges and reports the figures of
workers. This module gives Locust one class of users, and adds the findings of the visitors
to the figures that workers report.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import gevent  # pyright: ignore[reportMissingImports]  # Locust has an environment of its own
from gevent.event import AsyncResult  # pyright: ignore[reportMissingImports]  # as above
from locust import (  # pyright: ignore[reportMissingImports]  # as above
    User,
    between,
    runners,
    stats,
)
from locust.env import Environment  # pyright: ignore[reportMissingImports]  # as above
from locust.exception import RPCError  # pyright: ignore[reportMissingImports]  # as above
from locust.html import get_html_report  # pyright: ignore[reportMissingImports]  # as above

from siteassist_contract.http.network import HEADERS
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.redaction import API_KEY
from siteassist_contract.load import report
from siteassist_contract.load.meter import Timing
from siteassist_contract.load.options import LoadOptions, Role
from siteassist_contract.load.plan import Plan
from siteassist_contract.load.results import Failure, LoadResults
from siteassist_contract.load.verdict import Conclusion, conclude, internal_error
from siteassist_contract.load.visitors import VisitorPool
from siteassist_contract.report import files
from siteassist_contract.verdict import CannotRunError, ExitStatus, InternalError
from siteassist_spec import output

DATA = "siteassist"
"""The key of the results in a worker's report."""
_STEP = 5.0
"""Seconds between two lines of progress."""
_LOOK = 0.2
_REPORTS = 1.0
"""Seconds between two reports of a worker."""
_GRACE = 5.0
"""Most seconds that visitors have to finish a step at the end of the load."""
_SHARE = 0.1
"""The grace as a part of the duration of the load, which a slow server must not prolong."""
_LAST_REPORT = 6.0
"""Seconds after `_GRACE` that workers have to report their results."""
_ARRIVAL = 60.0
"""Seconds that workers have to connect."""
DONE, INTERRUPTED, LOST, FAILED = "done", "interrupted", "lost", "failed"


@dataclass
class Engine:
    """The part of one process in a load test."""

    target: Target
    settings: LoadOptions
    pool: VisitorPool = field(init=False)
    plan: Plan = field(init=False)
    environment: Any = field(init=False)
    reported: dict[str, LoadResults] = field(default_factory=dict)
    """The results of each worker, for a master."""
    _shown: set[str] = field(default_factory=set)
    _last: str = ""
    """The last line of progress."""
    _status: output.StatusLine = field(default_factory=output.StatusLine)
    _started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _end: Any = field(default_factory=AsyncResult)

    def __post_init__(self) -> None:
        """Prepare the users without sending a request."""
        self.pool = VisitorPool(self.target, on_answer=self._measure, sleep=gevent.sleep)
        self.plan = Plan.of(self.settings.users, self.settings.seconds, self.settings.visits)
        # Greenlets that end with an exception, and event handlers of Locust, end silently.
        hub: Any = gevent.get_hub()
        hub.print_exception = lambda _context, _type, error, _tb: self.fail(error)
        self.environment = Environment(
            user_classes=[_user_class(self.pool, self.settings.think)],
            host=self.target.base_url,
            stop_timeout=self._grace,
        )
        # `kill` ends a run in the same way as Ctrl-C.
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self._stop, INTERRUPTED)

    def run(self) -> ExitStatus:
        """Run the whole load, and return the exit status.

        Raises `CannotRunError` if a worker finds no master, or a master too few workers.
        """
        _configure_logging(self.fail)
        # Violations are printed when they are found.
        runners.WORKER_REPORT_INTERVAL = _REPORTS
        if self.settings.role is Role.WORKER:
            return self._run_worker()
        return self._run_and_report()

    def fail(self, error: BaseException) -> None:
        """Record an internal error, and end the load."""
        self.pool.results.fail(error, self.target.secrets())
        if self.settings.debug:
            click.echo(Failure.of(error, self.target.secrets()).traceback, err=True)
        # A worker goes on until its master has read its results.
        if self.settings.role is not Role.WORKER:
            self._stop(FAILED)

    @property
    def _grace(self) -> float:
        return min(_GRACE, _SHARE * self.settings.seconds)

    # A worker

    def _run_worker(self) -> ExitStatus:
        host, port = self.settings.master_host, self.settings.master_port
        # Before the runner, which sends its first report at once.
        self.environment.events.report_to_master.add_listener(self._report)
        self.environment.events.test_stop.add_listener(self._finish)
        try:
            runner = self.environment.create_worker_runner(host, port)
        except ConnectionError:
            raise CannotRunError(f"no master at {host}:{port}") from None
        runner.greenlet.spawn(self._watch)
        runner.greenlet.spawn(self._quit_on_interrupt)
        runner.greenlet.join()
        own = self.pool.results
        if own.failure is not None:
            output.last_line(internal_error(own.failure), error=True)
            return ExitStatus.INTERNAL_ERROR
        click.echo(f"This worker is done{f': {own.problem}' if own.problem else ''}.")
        return ExitStatus.INCOMPLETE if own.problem else ExitStatus.KEPT

    def _quit_on_interrupt(self) -> None:
        """End this worker when it is interrupted; its master writes the report."""
        self._end.get()
        if not self.pool.results.problem:
            self.pool.results.problem = "a worker was interrupted"
        self.environment.runner.quit()

    def _report(self, data: dict[str, Any], **_: object) -> None:
        data[DATA] = self.pool.results.document()

    def _finish(self, **_: object) -> None:
        """Record that all visitors of this process have stopped."""
        self.pool.settle()
        self.pool.results.final = True

    # A master, or a single process

    def _run_and_report(self) -> ExitStatus:
        reason = FAILED
        try:
            with self._workers():
                reason = self._load()
        except CannotRunError:
            raise
        except Exception as error:  # noqa: BLE001  # the findings so far are reported
            self.fail(error)
        return self._conclude(interrupted=reason == INTERRUPTED)

    def _load(self) -> str:
        """Run the load to its end, and return why it ended."""
        settings = self.settings
        if settings.role is Role.MASTER:
            self._wait_for_workers()
        runner = self.environment.runner
        users, over = settings.users, settings.seconds
        click.echo(f"Load on {self.target.base_url}: {users} visitors for {over:g} s")
        report.announce(self._started)
        begun = time.monotonic()
        gevent.spawn_later(over, self._stop, DONE)
        helpers = [gevent.spawn(task) for task in (self._watch, lambda: self._progress(begun))]
        helpers.append(gevent.spawn(stats.stats_history, runner))
        starting = gevent.spawn(runner.start, users, settings.spawn_rate)
        reason: str = self._end.get()
        gevent.killall([*helpers, starting])
        self._end_status()
        self._stop_visitors()
        return reason

    @contextmanager
    def _workers(self) -> Iterator[None]:
        """Create the runner: a master, which may start workers itself, or a local one."""
        settings, environment = self.settings, self.environment
        if settings.role is Role.ALONE:
            environment.create_local_runner()
            environment.events.test_stop.add_listener(self._finish)
            yield
            return
        environment.events.worker_report.add_listener(self._collect)
        environment.create_master_runner(settings.master_host, settings.master_port)
        children: list[subprocess.Popen[bytes]] = []
        try:
            children += [self._start_worker() for _ in range(settings.processes)]
            yield
        finally:
            for child in children:
                child.terminate()
                # Most workers report their error themselves, in more words.
                failed = child.wait() == ExitStatus.INTERNAL_ERROR
                if failed and self.results.failure is None:
                    self.fail(InternalError("a worker ended with an internal error"))

    def _start_worker(self) -> subprocess.Popen[bytes]:
        settings = self.settings
        shortest, longest = settings.think
        port = self.environment.runner.server.port
        # Secrets are not on the command line, which every user of the machine can read.
        network = self.target.network
        environment = {
            **os.environ,
            API_KEY: str(self.target.api_key),
            HEADERS: "\n".join(f"{name}:{value}" for name, value in network.headers),
        }
        command = [
            # `-P` prevents imports of modules in the current folder.
            *(sys.executable, "-P", "-m", "siteassist_contract.load", self.target.base_url),
            *("--worker", "--master-host", settings.master_host, "--master-port", str(port)),
            *("--think", str(shortest), str(longest)),
            *(("--debug",) if settings.debug else ()),
            *(() if network.ca is None else ("--ca", network.ca)),
            *(("--insecure",) if network.insecure else ()),
        ]
        # In a session of its own, so that Ctrl-C reaches only the master.
        return subprocess.Popen(  # noqa: S603  # the command is ours
            command, stdout=subprocess.DEVNULL, start_new_session=True, env=environment
        )

    def _wait_for_workers(self) -> None:
        """Wait until all workers have connected.

        Raises `CannotRunError` if they do not connect in time.
        """
        runner, wanted = self.environment.runner, self.settings.workers
        where = f"{self.settings.master_host}:{runner.server.port}"
        click.echo(f"Waiting for {wanted} workers at {where} ...")
        until = time.monotonic() + _ARRIVAL
        while len(runner.clients.ready) < wanted:
            if self._end.ready():
                self._quit_workers()
                raise KeyboardInterrupt
            if time.monotonic() > until:
                connected = len(runner.clients.ready)
                self._quit_workers()
                raise CannotRunError(f"{connected} of {wanted} workers connected")
            gevent.sleep(_LOOK)

    def _stop_visitors(self) -> None:
        """Stop all visitors, and wait for their results."""
        runner = self.environment.runner
        if self.settings.role is Role.ALONE:
            runner.quit()
            return
        expected = self._quit_workers()
        until = time.monotonic() + _GRACE + _LAST_REPORT
        while missing := [name for name in expected if not self._has_final_results(name)]:
            if time.monotonic() > until:
                words = f"{len(missing)} workers did not report their findings"
                self.pool.results.problem = self.pool.results.problem or words
                break
            gevent.sleep(_LOOK)
        if not expected:
            self.pool.results.problem = "all workers disconnected"
        runner.quit()

    def _quit_workers(self) -> list[str]:
        """Stop the workers, and return their ids."""
        runner = self.environment.runner
        expected = [client.id for client in runner.clients.all]
        runner.send_message("quit")
        return expected

    def _has_final_results(self, worker: str) -> bool:
        return worker in self.reported and self.reported[worker].final

    def _collect(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        if DATA in data:
            self.reported[client_id] = LoadResults.of(data[DATA])

    @property
    def results(self) -> LoadResults:
        """The results of all visitors in all processes."""
        return LoadResults.merged([self.pool.results, *self.reported.values()])

    # During the load

    def _stop(self, reason: str) -> None:
        if not self._end.ready():
            self._end.set(reason)

    def _watch(self) -> None:
        """Check the server, the visitors and the findings while the load runs."""
        while True:
            gevent.sleep(_LOOK)
            runner = self.environment.runner
            own = self.pool.results
            lost = self.pool.lost()
            if lost is not None:
                own.problem = f"the server stopped answering ({lost})"
            if self.settings.role is Role.WORKER:
                continue
            whole = self.results
            for key in [key for key in whole.violations if key not in self._shown]:
                self._shown.add(key)
                self._status.clear()
                output.show(output.Styled(report.brief(whole.violations[key]), output.Style.RED))
            missing = self.settings.role is Role.MASTER and not runner.clients.all
            if whole.failure is not None:
                self._stop(FAILED)
            elif whole.problem or missing:
                self._stop(LOST)
            elif self._ends_early(whole):
                self._stop(DONE)

    def _ends_early(self, whole: LoadResults) -> bool:
        """Whether the number of visits is reached, and nothing of the plan is missing."""
        if self.settings.visits is None or whole.visits < self.settings.visits:
            return False
        return conclude(self.plan, whole, 0).verdict is not ExitStatus.INCOMPLETE

    def _progress(self, begun: float) -> None:
        # The first line is printed early, to show that the load has started.
        for seconds in itertools.chain((1.0,), itertools.repeat(_STEP)):
            gevent.sleep(seconds)
            runner, whole = self.environment.runner, self.results
            total = runner.stats.total
            middle, late = (total.get_response_time_percentile(share) for share in (0.5, 0.95))
            refused = whole.throttled.total()
            self._last = (
                f"  {time.monotonic() - begun:4.0f} s {runner.user_count:5} visitors"
                f" {total.current_rps:6.0f}/s  median {middle:.0f} ms, 95 % {late:.0f} ms"
                f"  {whole.counts.total()} violations" + (f"  {refused} x 429" if refused else "")
            )
            if self._status.is_possible:
                self._status.set(self._last)
            else:
                click.echo(self._last)

    def _end_status(self) -> None:
        """Keep the last line of progress of a terminal."""
        if self._status.is_possible and self._last:
            self._status.clear()
            click.echo(self._last)

    def _measure(self, operation: str, timing: Timing) -> None:
        """Record an answer in Locust's figures, under its ``operationId``."""
        self.environment.events.request.fire(
            request_type=timing.method,
            name=operation,
            response_time=timing.seconds * 1000,
            response_length=timing.size,
            exception=None,
            context={},
        )
        if timing.first_delta is not None:
            # The event would count these times as requests in the total.
            figures = self.environment.stats
            name = f"{operation}: first delta"
            figures.get(name, report.STREAM).log(timing.first_delta * 1000, 0)
            for gap in timing.gaps:
                figures.get(f"{operation}: between deltas", report.STREAM).log(gap * 1000, 0)

    # At the end

    def _conclude(self, *, interrupted: bool) -> ExitStatus:
        """Print and write the findings and the verdict; an error loses only its own part."""
        settings = self.settings
        for part in (self._print_times, self._print_findings):
            self._attempt(part)
        writers = {
            settings.reports / report.HTML: self._write_html,
            settings.reports / report.JSON: lambda path: self._write_json(path, interrupted),
        }
        problems = {path: self._attempt(writer, path) for path, writer in writers.items()}
        files.tell(problems)
        conclusion = self._conclusion(interrupted)
        is_error = conclusion.verdict in (ExitStatus.INCOMPLETE, ExitStatus.INTERNAL_ERROR)
        output.last_line(conclusion.line, error=is_error, style=conclusion.verdict.style)
        return conclusion.status

    def _attempt(self, part: Callable[..., object], *arguments: object) -> str:
        """Call a part of the end; return why it failed, or an empty text."""
        try:
            part(*arguments)
        except OSError as error:
            return error.strerror or str(error)
        except Exception as error:  # noqa: BLE001  # the other parts are still wanted
            self.fail(error)
            return f"internal error: {type(error).__name__}"
        return ""

    def _conclusion(self, interrupted: bool) -> Conclusion:
        return conclude(
            self.plan,
            self.results,
            self.environment.stats.total.num_requests,
            interrupted=interrupted,
            allow_incomplete=self.settings.allow_incomplete,
        )

    def _print_times(self) -> None:
        click.echo("\nTimes in milliseconds:")
        click.echo(report.times(self._entries()))

    def _entries(self) -> list[dict[str, Any]]:
        """Return Locust's figures: those of each operation, and those of all requests."""
        figures = self.environment.stats
        return [entry.to_dict() for entry in (*figures.entries.values(), figures.total)]

    def _print_findings(self) -> None:
        report.show(self.results)

    def _write_html(self, path: Path) -> None:
        html = get_html_report(self.environment, show_download_link=False)
        files.write(path, output.printable(html))

    def _write_json(self, path: Path, interrupted: bool) -> None:
        conclusion = self._conclusion(interrupted)
        requests = self.environment.stats.total.num_requests
        run = report.circumstances(self.target.base_url, self._started)
        entries = self._entries()
        document = report.document(self.plan, self.results, requests, conclusion, entries, run)
        report.write(document, path)


class _Failures(logging.Handler):
    """A handler that reports the exceptions that Locust catches and logs."""

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_failure = on_failure
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Report the exception of a record, or print its message if it has none."""
        # Most of Locust's messages contain only the text of the traceback.
        error = record.exc_info[1] if record.exc_info else sys.exc_info()[1]
        # A broken connection between a worker and its master is not an error of the code.
        if record.levelno < logging.ERROR or error is None or isinstance(error, RPCError):
            click.echo(self.format(record), err=True)
        else:
            self._on_failure(error)


def _user_class(pool: VisitorPool, think: tuple[float, float]) -> type[User]:
    """Return the class of users: visitors that make one visit after another."""

    def visit(user: Any) -> None:
        user.simulated.visit()

    class Visitor(User):
        wait_time = between(*think)
        tasks = (visit,)

        def __init__(self, environment: Any) -> None:
            super().__init__(environment)
            self.simulated = pool.join(self.wait)

        def on_stop(self) -> None:
            self.simulated.close()

    return Visitor


def _configure_logging(on_failure: Callable[[BaseException], None]) -> None:
    """Print only the warnings of Locust."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Failures(on_failure)])
