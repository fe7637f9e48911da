"""``junit.xml``: a test case per operation and rule, for CI."""

from __future__ import annotations

from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from siteassist_contract.findings import Violation
from siteassist_contract.report import files, references
from siteassist_contract.report.impact import IMPACT
from siteassist_contract.report.ordering import Finding
from siteassist_contract.report.summary import Report
from siteassist_contract.report.tested_rules import Row
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import ExitStatus
from siteassist_spec.output import printable


def write(report: Report, path: Path) -> None:
    """Write ``junit.xml`` to ``path``."""
    report = report.redacted
    document = JUnitXml("siteassist-contract")
    for operation in dict.fromkeys(row.operation for row in report.rows):
        suite = TestSuite(operation)
        for row in report.rows:
            if (row.operation, row.kind) == (operation, "rule"):
                suite.add_testcase(_case(report, row))
        document.add_testsuite(suite)
    case = TestCase("verdict", "contract.run")
    status = report.verdict.status
    line = printable(report.verdict.line)
    if status in (ExitStatus.INCOMPLETE, ExitStatus.INTERNAL_ERROR, ExitStatus.INTERRUPTED):
        case.result = [Error(line) if report.verdict.exit_status else Skipped(line)]
    else:
        case.system_out = line
    suite = TestSuite("run")
    for name, fact in report.facts.items():
        suite.add_property(name.lower(), printable(fact))
    suite.add_property("repeat", printable(report.repeat))
    spending = report.outcome.spending
    for name, number in sorted(spending.answers.items()):
        suite.add_property(f"answers.{name}", str(number))
    suite.add_property("withheld", str(spending.withheld))
    suite.add_testcase(case)
    document.add_testsuite(suite)
    for each in document:
        each.timestamp = report.started.isoformat(timespec="seconds")
    document.update_statistics()  # type: ignore[no-untyped-call]  # untyped in junitparser
    document.time = report.seconds
    text: str = document.tostring().decode("utf-8")  # type: ignore[no-untyped-call]  # untyped in junitparser
    files.write(path, text)


def _case(report: Report, row: Row) -> TestCase:
    case = TestCase(f"{row.what}: {RULES[row.what].words}", f"contract.{row.operation}")
    results: list[FinalResult] = [
        _result(found, finding)
        for finding in report.findings
        for found in finding.violations
        if (found.operation, found.rule) == (row.operation, row.what)
    ]
    if not results and row.reason:
        results.append(Skipped(printable(row.reason)))
    case.result = results
    return case


def _result(found: Violation, finding: Finding) -> Failure | Skipped:
    if found.known:
        return Skipped(printable(f"accepted by the baseline: {found.actual}"))
    failure = Failure(printable(f"expected: {found.expected}; actual: {found.actual}"))
    lines = [f"{found.words} ({found.document})", IMPACT.get(found.rule, "")]
    if finding.related is not None:
        lines.append(f"It {finding.relation} finding {finding.related}.")
    lines += [f"{name}: {text}" for name, text in references.explained(found.document).items()]
    parts = ("\n".join(line for line in lines if line), found.answer, found.commands)
    failure.text = printable("\n\n".join(parts))
    return failure
