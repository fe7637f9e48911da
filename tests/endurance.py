"""The mock under long runs of the contract tests, and under kills.

``python -m tests.endurance`` runs the deep profile on the mock with each database until the
mock has answered enough requests, with another seed each time. It then kills servers while
clients write. Exit status 1 means that a run was not kept, that the mock answered with a 5xx,
or that an acknowledged message was lost.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import pytest

from scripts.contract import human_conversation
from tests.mock.postgres_server import postgres_server
from tests.values import API_KEY, PRIVATE_KEY, ROOT

DATABASES = ("sqlite", "postgresql")


@click.command(context_settings={"max_content_width": 100})
@click.option("--requests", type=click.IntRange(0), default=100_000, show_default=True)
@click.option("--kills", type=click.IntRange(0), default=20, show_default=True)
@click.option("--profile", default="deep", show_default=True)
@click.option("--time", default="10m", show_default=True, help="Maximum duration of one run.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of run 1.")
@click.option(
    "--database",
    "databases",
    type=click.Choice(DATABASES),
    multiple=True,
    default=DATABASES,
    show_default=True,
)
def main(
    *, requests: int, kills: int, profile: str, time: str, seed: int, databases: tuple[str, ...]
) -> None:
    """Run the contract tests on the mock with each database, then kill servers."""
    failed = False
    for database in databases:
        statuses: Counter[str] = Counter()
        while statuses.total() < requests:
            options = ("--profile", profile, "--time", time, "--seed", str(seed))
            try:
                with mock(database) as (url, log):
                    ended = contract(url, *options)
                    statuses += logged(log)
            except pytest.skip.Exception as missing:
                raise click.ClickException(str(missing)) from None
            failed |= ended.returncode != 0
            words = ended.stdout.strip().splitlines() or ended.stderr.strip().splitlines()
            click.echo(f"{database}, seed {seed}: {words[-1] if words else 'no output'}")
            seed += 1
        errors = sum(count for status, count in statuses.items() if status.startswith("5"))
        failed |= errors > 0
        click.echo(f"{database}: {statuses.total()} requests, {errors} with a 5xx")
    if kills:
        failed |= kill(kills) != 0
    sys.exit(failed)


@contextmanager
def mock(database: str) -> Iterator[tuple[str, Path]]:
    """Run the command with a new database; yield its base URL and the file of its log."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="endurance-")))
        path = str(folder / "mock.db")
        if database == "postgresql":
            path = stack.enter_context(postgres_server()).url
        log = stack.enter_context((folder / "log").open("w", encoding="utf-8"))
        command = [sys.executable, "-m", "siteassist_mock", "--port", "0", "--database", path]
        server = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        )
        stack.callback(server.terminate)
        assert server.stdout is not None
        yield server.stdout.readline().split()[3], folder / "log"


def contract(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the contract tests on a server."""
    with tempfile.TemporaryDirectory(prefix="endurance-") as reports:
        return subprocess.run(
            [
                *(sys.executable, "-m", "siteassist_contract", *options, "--reports", reports),
                *("--human-conversation", human_conversation(url), url),
            ],
            env={
                **os.environ,
                "SITEASSIST_API_KEY": API_KEY,
                "SITEASSIST_TOKEN": PRIVATE_KEY,
            },
            capture_output=True,
            text=True,
            check=False,
        )


def logged(log: Path) -> Counter[str]:
    """Return how often each status stands in a log; ``-`` is a request without a response."""
    lines = (line.split() for line in log.read_text(encoding="utf-8").splitlines())
    return Counter(words[3] for words in lines if len(words) > 5 and words[4].endswith("ms"))


def kill(rounds: int) -> int:
    """Kill servers with each database while clients write; return the status of pytest."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/mock/storage/test_kill.py"],
        cwd=ROOT,
        env={**os.environ, "SITEASSIST_MOCK_KILLS": str(rounds)},
        check=False,
    ).returncode


if __name__ == "__main__":
    main()
