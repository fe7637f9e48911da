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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from locust.html import get_html_report  # pyright: ignore[reportMissingImports]  # as above

from siteassist_contract.http.network import HEADERS
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.redaction import API_KEY
from siteassist_contract.load import report
from siteassist_contract.load.meter import Timing
from siteassist_contract.load.options import LoadOptions, Role
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.visitors import VisitorPool
from siteassist_contract.report import files
from siteassist_contract.verdict import CannotRunError, ExitStatus
from siteassist_spec import output

DATA = "siteassist"
"""The key of the results in a worker's report."""
STREAM = "STREAM"
"""The entry for the times of deltas in the column of methods of Locust's report."""
_STEP = 5.0
"""Seconds between two lines of progress."""
_LOOK = 0.2
_REPORTS = 1.0
"""Seconds between two reports of a worker."""
_GRACE = 5.0
"""Seconds that visitors have to finish a step at the end of the load."""
_LAST_REPORT = 10.0
"""Seconds after `_GRACE` that workers have to report their results."""
_ARRIVAL = 60.0
"""Seconds that workers have to connect."""
DONE, INTERRUPTED, LOST = "done", "interrupted", "lost"


@dataclass
class Engine:
    """The part of one process in a load test."""

    target: Target
    settings: LoadOptions
    pool: VisitorPool = field(init=False)
    environment: Any = field(init=False)
    reported: dict[str, LoadResults] = field(default_factory=dict)
    """The results of each worker, for a master."""
    _shown: set[str] = field(default_factory=set)
    _end: Any = field(default_factory=AsyncResult)

    def __post_init__(self) -> None:
        """Prepare the users without sending a request."""
        self.pool = VisitorPool(self.target, on_answer=self._measure, sleep=gevent.sleep)
        self.environment = Environment(
            user_classes=[_user_class(self.pool, self.settings.think)],
            host=self.target.base_url,
            stop_timeout=_GRACE,
        )
        # `kill` ends a run in the same way as Ctrl-C.
        for number in (signal.SIGINT, signal.SIGTERM):
            gevent.signal_handler(number, self._stop, INTERRUPTED)

    def run(self) -> ExitStatus:
        """Run the whole load, and return the exit status.

        Raises `CannotRunError` if a worker finds no master, or a master too few workers.
        """
        _configure_logging()
        # Violations are printed when they are found.
        runners.WORKER_REPORT_INTERVAL = _REPORTS
        if self.settings.role is Role.WORKER:
            return self._run_worker()
        return self._run_and_report()

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
        problem = self.pool.results.problem
        click.echo(f"This worker is done{f': {problem}' if problem else ''}.")
        return ExitStatus.NOT_RUN if problem else ExitStatus.KEPT

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
        settings, environment = self.settings, self.environment
        with self._workers():
            if settings.role is Role.MASTER:
                self._wait_for_workers()
            runner = environment.runner
            users, over = settings.users, settings.seconds
            click.echo(f"Load on {self.target.base_url}: {users} visitors for {over:g} s")
            begun = time.monotonic()
            gevent.spawn_later(over, self._stop, DONE)
            helpers = [gevent.spawn(task) for task in (self._watch, lambda: self._progress(begun))]
            helpers.append(gevent.spawn(stats.stats_history, runner))
            starting = gevent.spawn(runner.start, users, settings.spawn_rate)
            reason = self._end.get()
            gevent.killall([*helpers, starting])
            self._stop_visitors()
        return self._conclude(interrupted=reason == INTERRUPTED)

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
                child.wait()

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
            if runner.exceptions:
                failed = next(iter(runner.exceptions.values()))
                own.problem = f"a simulated visitor failed: {failed['msg']}"
            if self.settings.role is Role.WORKER:
                continue
            whole = self.results
            for key in [key for key in whole.violations if key not in self._shown]:
                self._shown.add(key)
                click.echo(report.brief(whole.violations[key]))
            missing = self.settings.role is Role.MASTER and not runner.clients.all
            if whole.problem or missing:
                self._stop(LOST)
            elif self.settings.visits is not None and whole.visits >= self.settings.visits:
                self._stop(DONE)

    def _progress(self, begun: float) -> None:
        # The first line is printed early, to show that the load has started.
        for seconds in itertools.chain((1.0,), itertools.repeat(_STEP)):
            gevent.sleep(seconds)
            runner, whole = self.environment.runner, self.results
            total = runner.stats.total
            middle, late = (total.get_response_time_percentile(share) for share in (0.5, 0.95))
            refused = whole.throttled.total()
            click.echo(
                f"  {time.monotonic() - begun:4.0f} s  {runner.user_count} visitors"
                f"  {total.current_rps:.0f} requests/s  median {middle} ms  95 % {late} ms"
                f"  {whole.counts.total()} violations" + (f"  {refused} x 429" if refused else "")
            )

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
            figures.get(name, STREAM).log(timing.first_delta * 1000, 0)
            for gap in timing.gaps:
                figures.get(f"{operation}: between deltas", STREAM).log(gap * 1000, 0)

    # At the end

    def _conclude(self, *, interrupted: bool) -> ExitStatus:
        figures, whole = self.environment.runner.stats, self.results
        click.echo()
        stats.print_stats(figures, current=False)
        stats.print_percentile_stats(figures)
        report.show(whole)
        verdict = report.verdict(whole, figures.total.num_requests, interrupted=interrupted)
        self._write(whole, verdict, self.settings.reports)
        status = report.status_of(whole, interrupted=interrupted)
        output.last_line(verdict, error=status is ExitStatus.NOT_RUN)
        return status

    def _write(self, whole: LoadResults, verdict: str, folder: Path) -> None:
        figures = self.environment.runner.stats
        html = get_html_report(self.environment, show_download_link=False)
        entries = [entry.to_dict() for entry in (*figures.entries.values(), figures.total)]
        writers = {
            folder / report.HTML: lambda path: files.write(path, output.printable(html)),
            folder / report.JSON: lambda path: report.write(whole, verdict, entries, path),
        }
        files.tell(files.write_all(writers))


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


def _configure_logging() -> None:
    """Print Locust's tables without a prefix, and only warnings besides."""
    tables = logging.getLogger("locust.stats_logger")
    tables.setLevel(logging.INFO)
    tables.propagate = False
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    tables.addHandler(handler)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    # No tracebacks of visitors: `_watch` reports the failure once.
    logging.getLogger("locust.user").setLevel(logging.CRITICAL)
