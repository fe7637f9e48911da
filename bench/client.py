"""What the client costs, next to its peers: the command behind `make bench-client`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import metadata, util
from pathlib import Path

from . import calls, decoding, imports, memory
from .results import Row, table, tell

SECTIONS = {
    "imports": imports.measure,
    "decoding": decoding.measure,
    "calls": calls.measure,
    "memory": memory.measure,
}
NEEDED = {"anthropic": "anthropic", "httpx-sse": "httpx_sse", "openai": "openai"}
NAMED = ("siteassist", "httpx", "orjson", *NEEDED)

DESCRIPTION = """\
Measure what the client costs, next to its peers, and print a table.

Every number is a ratio over a floor that was measured in the same run, taking
turns: 1.00 is what the floor takes, less is better. Memory is in bytes per
event. Nothing fails when a goal is missed; the table says so.

sections:
  imports   import, client ready and first call, over `import httpx`
  decoding  read a stream as typed events, over split + json.loads
  calls     make one call on an in-memory transport, over bare httpx
  memory    what is kept of a million streamed events
"""
EXAMPLES = """\
examples:
  make bench-client
  make bench-client ARGS='decoding calls'
  make bench-client ARGS='--json reports/bench.json'
"""


def main() -> int:
    """Run the sections that were asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.client",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sections", nargs="*", metavar="SECTION", help="what to measure; everything if left out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there as well")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)} (there are {', '.join(SECTIONS)})")
    missing = [name for name, module in NEEDED.items() if util.find_spec(module) is None]
    if missing:
        tell(f"{', '.join(missing)} not installed here: run `make bench-client`, which sees to it")
        return 2
    # What a user has set for real calls must not change what is measured.
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
