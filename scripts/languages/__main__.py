"""Prove that clients in other languages can be generated, compiled and used.

    python -m scripts.languages [NAME ...]

For each language, or each NAME: generate a client from `openapi.yaml`, compile it, and let the
program in `examples/NAME` make a visitor's journey with it on a mock of our own.

Exit status: 0 what could run has passed, 1 something has not, 2 nothing could run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from scripts.contract import running_mock
from scripts.languages.catalogue import LANGUAGES
from scripts.languages.table import footnotes, table
from scripts.languages.trial import Outcome, try_language
from siteassist_spec import Document

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
REPORTS = ROOT / "reports" / "languages"


def main(arguments: list[str]) -> int:
    """Try the languages that ``arguments`` name, print the table, and return the exit status."""
    names = [language.name for language in LANGUAGES]
    parser = argparse.ArgumentParser(prog="make languages", description="Try other languages.")
    # With `choices`, argparse refuses to be given no name at all.
    parser.add_argument("name", nargs="*", help=f"one of {', '.join(names)}; all if left out")
    wanted = parser.parse_args(arguments).name
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"no language {', '.join(unknown)}; there are {', '.join(names)}")
    REPORTS.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    with running_mock() as url:
        description = Document.load()
        for language in LANGUAGES:
            if not wanted or language.name in wanted:
                print(f"{language.name} ...", flush=True)
                outcomes.append(try_language(language, description, url, EXAMPLES, REPORTS))
    print("", table(outcomes), "", *footnotes(outcomes), sep="\n")
    return exit_status(outcomes)


def exit_status(outcomes: list[Outcome]) -> int:
    """Return what ``outcomes`` come to: 0 all green, 1 some are not, 2 nothing ran."""
    ran = [outcome for outcome in outcomes if not outcome.skipped]
    if not ran:
        return 2
    return 0 if all(outcome.green for outcome in ran) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
