"""The benchmark of the mock server and its peers, which `make bench-mock` runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple

import httpx

from .mock_load import Request, generator, per_second, stream_all
from .mock_servers import DELTAS

ROOT = Path(__file__).resolve().parents[1]
SPEC = ROOT / "openapi.yaml"
PRISM = "5.14.2"
# In a folder that git ignores and `make clean` removes.
PRISM_FOLDER = ROOT / "reports" / "bench-prism"
KEY = "sk_test_1234567890abcdef"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
GOALS = {
    "getConversation": (">= 2.0", ">= 1.2"),
    "startConversation": (">= 1.7", ">= 1.0"),
}
"""The requests to Prism's, by operation, a read and a write: with the logs, and without."""
OPERATIONS = tuple(GOALS)

DESCRIPTION = """\
Compare the mock server with Prism, which serves the same openapi.yaml, and
with a bare Starlette app that returns the same bytes.

Each server runs in a single process, and the servers are measured in turns in
the same run. The best turn of each server counts, because a slower one reflects
the state of the machine rather than of the server. A missed goal is marked in
the table; it does not change the exit status.

sections:
  speed    requests per second of getConversation and startConversation
  streams  200 concurrent streams of 100 deltas, and the time between deltas
  memory   resident memory after many requests
  start    time from the command to the first response
"""


class Row(NamedTuple):
    """One measurement; ``goal`` is a limit such as ``<= 1.05``, or empty."""

    what: str
    subject: str
    value: float
    unit: str = "x"
    goal: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if not self.goal:
            return None
        sign, limit = self.goal.split()
        return self.value >= float(limit) if sign == ">=" else self.value <= float(limit)


class Server(NamedTuple):
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Return the processor time that the server has used, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Return the resident memory of the server, in megabytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


Starter = Callable[[int], tuple[list[str], str]]
"""A function from a port to a command that serves on it, and the path of the API."""


def show_progress(text: str) -> None:
    """Print a progress line to stderr."""
    print(text, file=sys.stderr, flush=True)


# --- servers


def mock(*options: str) -> Starter:
    """Return a starter of the mock, run with its own command."""
    command = [sys.executable, "-m", "siteassist_mock", *options]
    return lambda port: ([*command, "--port", str(port)], "/v2")


def bare(body: str) -> Starter:
    """Return a starter of a Starlette app that always returns ``body``."""
    command = [sys.executable, "-m", "bench.mock_servers", "bare"]
    return lambda port: ([*command, str(port), body], "/v2")


def streaming(pace: float) -> Starter:
    """Return a starter of the mock with long answers, ``pace`` seconds between deltas."""
    command = [sys.executable, "-m", "bench.mock_servers", "streaming"]
    return lambda port: ([*command, str(port), str(pace)], "/v2")


def prism(*options: str) -> Starter | None:
    """Return a starter of Prism, or None if Node.js is not installed.

    Installs Prism first if necessary.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    script = PRISM_FOLDER / "node_modules" / ".bin" / "prism"
    if not script.exists():
        show_progress(f"installing Prism {PRISM} into {PRISM_FOLDER.relative_to(ROOT)} (once)")
        PRISM_FOLDER.mkdir(parents=True, exist_ok=True)
        (PRISM_FOLDER / ".npmrc").write_text("omit-lockfile-registry-resolved=true\n")
        (PRISM_FOLDER / "package.json").write_text('{"private": true}\n')
        package = f"@stoplight/prism-cli@{PRISM}"
        subprocess.run(
            [
                npm,
                "install",
                "--no-fund",
                "--no-audit",
                "--silent",
                package,
            ],
            cwd=PRISM_FOLDER,
            check=True,
        )
    # Without npx, which would add another process and the time of its start.
    command = [node, str(script), "mock", *options, str(SPEC)]
    return lambda port: ([*command, "--port", str(port)], "")


@contextmanager
def running(start: Starter) -> Iterator[Server]:
    """Run a server for the duration of the block, after it has answered a first request.

    The log of the server is written to a file, as it would be in use.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command, path = start(port)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}{path}"
            while not _answers(f"{url}/identity/me"):
                if process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(log.read().decode())
                time.sleep(0.002)
            yield Server(url, process)
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        # Any response will do: the bare app has no such path and returns a 404.
        httpx.get(url, headers=HEADERS)
    except httpx.TransportError:
        return False
    return True


def _start_conversation(url: str) -> httpx.Response:
    return httpx.post(f"{url}/conversations", json={}, headers=HEADERS).raise_for_status()


def _requests(url: str) -> tuple[Request, Request]:
    """Return a request for each of `OPERATIONS`: a read and a write."""
    new = _start_conversation(url).json()["id"]
    return (
        Request(f"{url}/conversations/{new}", HEADERS),
        Request(f"{url}/conversations", HEADERS, "{}"),
    )


# --- sections


def speed(turns: int, seconds: float) -> list[Row]:
    """Return the request rates of the mock as ratios over those of its peers."""
    with running(mock("--quiet")) as server:
        # The bare app returns the same bytes that the mock returns for a conversation.
        body = _start_conversation(server.url).text
    with tempfile.TemporaryDirectory() as folder:
        starters: dict[str, Starter | None] = {
            "mock": mock(),
            "mock, no log": mock("--quiet"),
            "mock, no log, SQLite file": mock("--quiet", "--database", f"{folder}/mock.db"),
            "bare": bare(body),
            "Prism": prism(),
            "Prism, no log": prism("--verboseLevel", "silent"),
        }
        rates: dict[tuple[str, str], list[float]] = {}
        costs: dict[tuple[str, str], list[float]] = {}
        with ExitStack() as stack:
            # All servers run all the time: idle servers do not slow the others down, and a
            # newly started server would be slower than usual.
            servers = {
                name: stack.enter_context(running(starter))
                for name, starter in starters.items()
                if starter is not None
            }
            requests = {name: _requests(server.url) for name, server in servers.items()}
            for turn in range(turns + 1):
                for name, server in servers.items():
                    show_progress(
                        f"speed: turn {turn} of {turns}: {name}" if turn else f"warm up: {name}"
                    )
                    for operation, request in zip(OPERATIONS, requests[name], strict=True):
                        before = server.cpu()
                        rate = per_second(request, seconds)
                        used = server.cpu() - before
                        if turn:
                            rates.setdefault((operation, name), []).append(rate)
                            costs.setdefault((operation, name), []).append(rate * seconds / used)
    rows = []
    for operation in OPERATIONS:
        logged, quiet = GOALS[operation]
        for subject, peer, goal in (
            ("mock", "Prism", logged),
            ("mock, no log", "Prism, no log", quiet),
            ("mock, no log", "bare", ">= 0.45"),
            ("mock, no log, SQLite file", "bare", ""),
        ):
            if (operation, peer) not in rates:
                continue
            for what, by in (("", rates), (", per processor time", costs)):
                ratio = max(by[operation, subject]) / max(by[operation, peer])
                title = f"{operation}, request rate / {peer}{what}"
                rows.append(Row(title, subject, ratio, goal="" if what else goal))
    return rows


def streams(count: int, pace: float) -> list[Row]:
    """Return the share of complete streams, and the time between their deltas."""
    show_progress(
        f"streams: {count} concurrent, {DELTAS} deltas each, one every {pace * 1000:.0f} ms"
    )
    with running(streaming(pace)) as server:
        requests = []
        for _ in range(count):
            new = _start_conversation(server.url).json()["id"]
            url = f"{server.url}/conversations/{new}/messages"
            body = json.dumps({"content": "How long does shipping take?", "stream": True})
            requests.append(Request(url, HEADERS, body))
        done = asyncio.run(stream_all(requests, DELTAS))
    what = f"{count} streams of {DELTAS} deltas, one every {pace * 1000:.0f} ms"
    p99 = done.gaps[int(len(done.gaps) * 0.99)]
    return [
        Row(what, "complete", done.complete / count, goal=">= 1"),
        Row(what, "time between deltas, median", median(done.gaps) * 1000, "ms"),
        Row(what, "time between deltas, p99", p99 * 1000, "ms"),
    ]


def memory(counts: tuple[int, int]) -> list[Row]:
    """Return the memory of the servers after two numbers of requests, half of them writes."""
    first, last = counts
    found: dict[str, list[float]] = {}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        starters = {"mock": mock("--database", f"{folder}/mock.db"), "Prism": prism()}
        for name, start in starters.items():
            if start is None:
                continue
            with running(start) as server:
                requests = _requests(server.url)
                sent = 0.0
                for count in counts:
                    show_progress(f"memory: {name}, {count:,} requests")
                    while sent < count:
                        for request in requests:
                            sent += per_second(request, 1)
                    found.setdefault(name, []).append(server.megabytes())
                    rows.append(
                        Row("resident memory", f"{name}, {count:,} requests", found[name][-1], "MB")
                    )
    growth = found["mock"][1] / found["mock"][0]
    rows.append(Row(f"memory after {last:,} / {first:,} requests", "mock", growth, goal="<= 1.05"))
    if "Prism" in found:
        share = found["mock"][1] / found["Prism"][1]
        rows.append(Row(f"memory after {last:,} requests / Prism", "mock", share, goal="<= 0.5"))
    return rows


def start(turns: int) -> list[Row]:
    """Return the time from the command to the first response."""
    starters = {"mock": mock(), "Prism": prism()}
    best: dict[str, float] = {}
    for turn in range(turns):
        show_progress(f"start: turn {turn + 1} of {turns}")
        for name, starter in starters.items():
            if starter is not None:
                began = time.perf_counter()
                with running(starter):
                    took = time.perf_counter() - began
                best[name] = min(best.get(name, took), took)
    rows = [Row("command to first response", "mock", best["mock"], "s", "<= 0.7")]
    if "Prism" in best:
        rows.append(Row("command to first response", "Prism", best["Prism"], "s"))
        rows.append(
            Row(
                "command to first response / Prism",
                "mock",
                best["mock"] / best["Prism"],
                goal="<= 0.5",
            )
        )
    return rows


# --- the table


def table(rows: list[Row]) -> str:
    """Format the rows as a table."""
    cells = [("measurement", "subject", "value", "goal", "met")]
    for row in rows:
        met = {True: "yes", False: "NO", None: ""}[row.met]
        cells.append((row.what, row.subject, f"{row.value:.2f} {row.unit}", row.goal, met))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(map(str.ljust, line, widths)).rstrip()
        for line in [*cells[:1], ["-" * width for width in widths], *cells[1:]]
    ]
    return "\n".join(lines)


def main() -> int:
    """Run the selected sections and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.mock",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help="sections to run (default: all)"
    )
    parser.add_argument(
        "--turns", type=int, default=3, help="measurements of each server (default: 3)"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="measure memory after 100,000 and 1,000,000 requests instead of a tenth of each",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to FILE")
    options = parser.parse_args()
    counts = (100_000, 1_000_000) if options.full else (10_000, 100_000)
    sections: dict[str, Callable[[], list[Row]]] = {
        "speed": lambda: speed(options.turns, 3),
        "streams": lambda: streams(200, 0.05),
        "memory": lambda: memory(counts),
        "start": lambda: start(options.turns + 2),
    }
    unknown = [name for name in options.sections if name not in sections]
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}: expected one of {', '.join(sections)}")
    if not Path("/proc/self/statm").exists():
        parser.error("/proc not found: the memory of a process can only be measured on Linux")
    if prism() is None:
        show_progress("Node.js is not installed: skipping Prism")
    rows = [
        row
        for name, measure in sections.items()
        if name in (options.sections or sections)
        for row in measure()
    ]
    names = ("siteassist", "starlette", "uvicorn", "sqlalchemy", "h11")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    print(f"Python {platform.python_version()}, {versions}, Prism {PRISM}")
    print(f"load: {generator()}; servers: uvicorn with h11 on asyncio, and Node.js\n")
    print(table(rows))
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        content = [{**row._asdict(), "met": row.met} for row in rows]
        options.json.write_text(json.dumps(content, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
