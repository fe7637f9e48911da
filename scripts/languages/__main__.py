"""Check that clients in other languages can be generated, compiled and used.

    python -m scripts.languages [NAME ...]

For each NAME (default: all languages), generate a client from `openapi.yaml`, compile it, and run
the program in `examples/NAME`, which makes a visitor's journey on a mock server. A language is
skipped if the machine lacks one of its tools.

Exit status: 0 all languages that ran have passed; 1 a language failed; 2 all were skipped.
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
    """Try the languages named in ``arguments``, print the table, and return the exit status."""
    names = [language.name for language in LANGUAGES]
    parser = argparse.ArgumentParser(
        prog="make languages",
        description="Generate, compile and run clients in other languages on a mock server.",
    )
    # `choices` cannot be used: with it, argparse rejects an empty list of names.
    parser.add_argument("name", nargs="*", help=f"one of {', '.join(names)} (default: all)")
    wanted = parser.parse_args(arguments).name
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        parser.error(f"unknown language {', '.join(unknown)}: expected one of {', '.join(names)}")
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
    """Return the exit status: 0 if all that ran passed, 1 if one failed, 2 if none ran."""
    ran = [outcome for outcome in outcomes if not outcome.skipped]
    if not ran:
        return 2
    return 0 if all(outcome.green for outcome in ran) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
