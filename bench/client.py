"""The benchmark of the client and its peers, which `make bench-client` runs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import metadata, util
from pathlib import Path

from . import calls, decoding, imports, memory, visitors
from .results import Row, table

SECTIONS = {
    "imports": imports.measure,
    "decoding": decoding.measure,
    "calls": calls.measure,
    "memory": memory.measure,
    "visitors": visitors.measure,
}
NEEDED = {"anthropic": "anthropic", "httpx-sse": "httpx_sse", "openai": "openai"}
NAMED = ("siteassist", "httpx", "orjson", *NEEDED)

DESCRIPTION = """\
Measure the overhead of the client and of its peers, and print a table.

Each value is a ratio over a baseline measured in the same run, in alternating
turns. 1.00 is the baseline itself, and lower is better. Memory is in bytes per
event or in MB, and the time of a visitor in microseconds. A missed goal is
marked in the table; it does not change the exit status.

sections:
  imports   import, client creation and first call, over `import httpx`
  decoding  reading a stream as typed events, over split + json.loads
  calls     one call on an in-memory transport, over bare httpx
  memory    memory retained per event, for up to a million events
  visitors  time, memory and connections of 1,000 visitors from one client
"""
EXAMPLES = """\
examples:
  make bench-client
  make bench-client ARGS='decoding calls'
  make bench-client ARGS='--json reports/bench.json'
"""


def main() -> int:
    """Run the selected sections and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.client",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help="sections to run (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to FILE")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"unknown section {', '.join(unknown)}: expected one of {', '.join(SECTIONS)}")
    missing = [name for name, module in NEEDED.items() if util.find_spec(module) is None]
    if missing:
        print(
            f"{', '.join(missing)} not installed: run `make bench-client` to install the peers",
            file=sys.stderr,
        )
        return 2
    # Settings that the user made for real calls must not affect the measurements.
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        del os.environ[name]
    rows: list[Row] = []
    for section, measure in SECTIONS.items():
        if section in (options.sections or SECTIONS):
            rows += measure()
    print(f"Python {platform.python_version()}, {', '.join(_versions())}\n")
    print(table(rows))
    if options.json is not None:
        _write(options.json, rows)
    return 0


def _versions() -> list[str]:
    return [f"{name} {metadata.version(name)}" for name in NAMED]


def _write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    versions = {name: metadata.version(name) for name in NAMED}
    content = {
        "python": platform.python_version(),
        "versions": versions,
        "rows": [{**row._asdict(), "met": row.met} for row in rows],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
