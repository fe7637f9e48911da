"""Try the tools that the published forms are for.

    python -m scripts.consumers [--quick] [--page] [NAME ...]

For each tool and form, look whether the tool reads the form, generates code that compiles, accepts
the documented examples, refuses invalid values, and works with the mock server. A tool is skipped
if the machine lacks a program that it needs. With --page, the table is written to
docs/reference/publishing.md.

Exit status: 0 no failure is ours; 1 a failure is ours; 2 all were skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.consumers import table
from scripts.consumers.cases import read_cases
from scripts.consumers.catalogue import CONSUMERS, QUICK_LANGUAGES, ROOT, Consumer, Kit
from scripts.consumers.trial import Outcome, of_language, outcome_of, set_up, try_consumer
from scripts.contract import MOCK_KEY, MOCK_TOKEN, running_mock
from scripts.languages.__main__ import EXAMPLES
from scripts.languages.__main__ import REPORTS as LANGUAGE_REPORTS
from scripts.languages.catalogue import LANGUAGES, Language
from scripts.languages.trial import Outcome as LanguageOutcome
from scripts.languages.trial import StepFailedError, try_language
from scripts.publish.__main__ import documents
from scripts.publish.collection import in_order
from siteassist_spec import Document, Operation, read_operations, read_websockets
from siteassist_spec.samples.request import example_token, requests

REPORTS = ROOT / "reports" / "consumers"
KITS = ROOT / "tools" / "consumers"
PAGE = ROOT / "docs" / "reference" / "publishing.md"


def main(arguments: list[str]) -> int:
    """Try the tools, print the table, and return the exit status."""
    everything: dict[str, Consumer | Language] = {one.name: one for one in CONSUMERS}
    everything |= {language.name: language for language in LANGUAGES}
    parser = argparse.ArgumentParser(
        prog="make consumers", description="Try the tools that the published forms are for."
    )
    parser.add_argument("--quick", action="store_true", help="only the tools that CI tries")
    parser.add_argument("--page", action="store_true", help=f"write the rows to {PAGE.name}")
    parser.add_argument("name", nargs="*", help="a tool and a form, such as prism@3.0.3")
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.name) - set(everything))
    if unknown:
        names = ", ".join(everything)
        parser.error(f"unknown tool {', '.join(unknown)}: expected one of {names}")
    wanted = {name: one for name, one in everything.items() if not given.name or name in given.name}
    if given.quick:
        wanted = {name: part for name, one in wanted.items() if (part := quick(one)) is not None}
    day = datetime.now(UTC).date().isoformat()
    outcomes: list[Outcome] = []
    for outcome in run(list(wanted.values())):
        outcomes.append(outcome)
        if given.page:
            # At once, so that a run that is interrupted loses nothing.
            write_rows({outcome.name: outcome}, everything, day)
    print("", table.report(outcomes, day, ""), "", *problems(outcomes), sep="\n")
    return exit_status(outcomes)


def write_rows(
    tried: Mapping[str, Outcome], everything: Mapping[str, Consumer | Language], day: str
) -> None:
    """Write the rows of this run to the page; the other rows stay as they are."""
    outcomes = [tried.get(name) or before(one) for name, one in everything.items()]
    text = PAGE.read_text(encoding="utf-8")
    report = table.report(outcomes, day, table.from_page(text))
    PAGE.write_text(table.on_page(text, report), encoding="utf-8")


def quick(one: Consumer | Language) -> Consumer | Language | None:
    """Return the part of a tool's trial that CI runs, or None."""
    if isinstance(one, Consumer):
        stages = {stage: one.stages[stage] for stage in one.quick}
        return replace(one, stages=stages) if stages else None
    return one if one.name in QUICK_LANGUAGES else None


def before(one: Consumer | Language) -> Outcome:
    """Return the outcome of a tool before its trial."""
    if isinstance(one, Consumer):
        return outcome_of(one)
    return of_language(LanguageOutcome(one))


def run(wanted: Sequence[Consumer | Language]) -> Iterator[Outcome]:
    """Try all that is wanted, one after the other."""
    document = Document.load()
    values = lay_out(document)
    ready: dict[Kit, str] = {}
    failed: dict[Kit, str] = {}
    with running_mock() as url:
        values = {**values, "url": url, "key": MOCK_KEY, "token": MOCK_TOKEN}
        for one in wanted:
            print(f"{one.name} ...", flush=True)
            if isinstance(one, Language):
                LANGUAGE_REPORTS.mkdir(parents=True, exist_ok=True)
                yield of_language(try_language(one, document, url, EXAMPLES, LANGUAGE_REPORTS))
                continue
            kit = one.kit
            folder = REPORTS / kit.folder if kit.folder else ROOT
            if kit not in ready:
                try:
                    ready[kit] = set_up(kit, KITS / kit.folder, folder, REPORTS, values)
                except (StepFailedError, OSError) as failure:
                    ready[kit], failed[kit] = "", str(failure)
            if ready[kit] or kit in failed:
                yield outcome_of(one, skipped=ready[kit], failed=failed.get(kit, ""))
            else:
                form = {"form": str(REPORTS / "forms" / one.form)}
                yield try_consumer(one, folder, REPORTS, {**values, **form})


def lay_out(document: Document) -> dict[str, str]:
    """Write the published forms and the values to try, and return the values of the commands."""
    forms = REPORTS / "forms"
    for name, content in documents(document).items():
        (forms / name).parent.mkdir(parents=True, exist_ok=True)
        (forms / name).write_bytes(content)
    operations = in_order(read_operations(document).values())
    token = example_token(operations)
    tried = {
        "operations": [in_journey(operation, token) for operation in operations],
        "cases": [asdict(case) for case in read_cases(document)],
    }
    cases = REPORTS / "cases.json"
    cases.write_text(json.dumps(tried, indent=1), encoding="utf-8")
    return {
        "root": str(ROOT),
        "python": sys.executable,
        "bin": str(Path(sys.executable).parent),
        "node": str(ROOT / "tools" / "node" / "node_modules" / ".bin"),
        "modules": str(REPORTS / "node" / "node_modules"),
        "forms": str(forms),
        "cases": str(cases),
        # Handshakes are not requests with a response.
        "without_sockets": " ".join(
            f"--exclude-operation-id {name}" for name in read_websockets(document)
        ),
    }


def in_journey(operation: Operation, token: str | None) -> dict[str, Any]:
    """Return the arguments of an operation from its examples."""
    request = requests(operation, "", token)[0]
    return {
        "id": operation.operation_id,
        "arguments": {**request.in_path, **request.query, **request.in_header},
        "body": request.body or {},
    }


def problems(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a line for each tool that was skipped, and for each failure."""
    for outcome in outcomes:
        if outcome.skipped:
            yield f"{outcome.name} skipped: {outcome.skipped}"
        for problem in outcome.ours:
            yield f"{outcome.name}, {problem}"
    if failed := sum(bool(outcome.ours) for outcome in outcomes):
        yield f"{failed} failed; the logs are in {REPORTS.relative_to(ROOT)}"


def exit_status(outcomes: Sequence[Outcome]) -> int:
    """Return 0 if no failure is ours, 1 if one is, and 2 if all were skipped."""
    if all(outcome.skipped for outcome in outcomes):
        return 2
    return 1 if any(outcome.ours for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
