"""Reports: complete, valid and without secrets, whatever the server sends."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from siteassist_contract.description import all_operations
from siteassist_contract.findings import BEHAVIOUR, ERRORS, LAYERS, SHAPES, Violation
from siteassist_contract.report import junit, page, summary
from siteassist_contract.report.summary import Report
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.report.tested_rules import Row, gaps
from siteassist_contract.rules import RULES
from siteassist_contract.verdict import ExitStatus, InternalError
from siteassist_spec.output import printable
from tests.contract.report.sample_reports import BASE, BROKEN, ELSEWHERE, KNOWN, report, violation
from tests.values import API_KEY as KEY

EVIL = "<script>alert(1)</script> \"q\" 'a' & ]]> <!-- {{ 7*7 }} {% raw %} é🎉"
CONTROLS = "\x00\x01\x08\x0b\x1b\x7f\x85\ufffe\uffff tab\t end"


# For programs


def test_document_is_complete() -> None:
    """The document has the run, each violation and each row of what was tested."""
    steps: dict[str, Any] = {"planned": ["a", "b", "c"], "unfinished": {"b": "not begun"}}
    whole = report(BROKEN, KNOWN, notes=["one"], line="no", selection="--only me", **steps)
    found = summary.document(whole)
    large = ("violations", "coverage", "not_tested", "references")
    assert {
        "version": summary.VERSION,
        "verdict": "broken",
        "exit_status": 1,
        "line": "no",
        "selection": "--only me",
        "planned": ["a", "b", "c"],
        "done": ["a", "c"],
        "unfinished": {"b": "not begun"},
        "problem": None,
        "error": None,
        "notes": ["one"],
        "spent": {"answers": {}, "max_messages": None, "withheld": 0},
        "base_url": BASE,
        "profile": "quick",
        "seed": 7,
        "repeat": "siteassist-contract --seed 7",
        "variables": ["SITEASSIST_API_KEY"],
        "start": None,
        "date": "2030-01-31T12:30:15+00:00",
        "versions": {"siteassist": "1.2.3", "Python": "3.14.0"},
        "time_limit": 24.0,
        "requests": 9,
        "seconds": 12.35,
        "findings": 2,
        "first_violation_seconds": 2.35,
    } == {k: v for k, v in found.items() if k not in large}
    assert ["getMe me", "search bounds known"] == [each["key"] for each in found["violations"]]
    assert [False, True] == [each["known"] for each in found["violations"]]
    assert "that other thing" == found["violations"][0]["actual"]
    assert len(whole.rows) == len(found["coverage"])
    row = {"operation": "getMe", "kind": "status", "what": "200", "count": 3, "reason": ""}
    assert row | {"excused": True} in found["coverage"]
    untested = [r for r in found["coverage"] if r["kind"] == "rule" and r["reason"]]
    assert [(r["what"], r["operation"], r["reason"], r["excused"]) for r in untested] == [
        (r["rule"], r["operation"], r["reason"], r["excused"]) for r in found["not_tested"]
    ]
    assert {True, False} == {each["excused"] for each in found["not_tested"]}


@pytest.mark.parametrize(
    ("violations", "first"), [([], None), ([KNOWN], None), ([KNOWN, BROKEN, ELSEWHERE], 1.5)]
)
def test_first_violation_is_the_first_outside_the_baseline(
    violations: list[Violation], first: float | None
) -> None:
    """The time of the first violation ignores known violations, and may be missing."""
    assert first == report(*violations).first_violation_seconds
    assert first == summary.document(report(*violations))["first_violation_seconds"]


def test_stopped_run_has_its_reason() -> None:
    """The verdict and the problem of a run that stopped are in the document."""
    found = summary.document(report(status=ExitStatus.INCOMPLETE, problem="the server went away"))
    assert ("incomplete", "the server went away") == (found["verdict"], found["problem"])


def test_document_has_the_internal_error_without_its_traceback() -> None:
    """The document has an internal error in one line."""
    error = InternalError("ValueError: x", "Traceback")
    found = summary.document(report(status=ExitStatus.INTERNAL_ERROR, error=error))
    expected = ("internal error", 3, "ValueError: x")
    assert expected == (found["verdict"], found["exit_status"], found["error"])
    assert "Traceback" not in json.dumps(found)


def test_matrix_counts_requests_and_violations_by_layer() -> None:
    """The matrix has a row per operation and a cell per layer."""
    matrix = dict(report(BROKEN, KNOWN, ELSEWHERE).matrix())
    assert list(all_operations()) == list(matrix)
    assert dict(zip(LAYERS, matrix["getMe"], strict=True)) == {
        ERRORS: (4, 0),
        "streams": (0, 0),
        BEHAVIOUR: (5, 1),
        "socket": (0, 0),
        SHAPES: (0, 0),
    }
    assert (0, 1) == dict(zip(LAYERS, matrix["getQnas"], strict=True))[ERRORS]


def test_summary_is_written_without_secrets(tmp_path: Path) -> None:
    """The summary is valid JSON in UTF-8 and has no secrets."""
    path = tmp_path / "summary.json"
    summary.write(report(violation(actual=f"é {KEY} {EVIL}\n{CONTROLS}"), notes=[KEY]), path)
    text = path.read_text("utf-8")
    assert KEY not in text
    found = json.loads(text)
    assert f"é [Filtered] {EVIL}\n{CONTROLS}" == found["violations"][0]["actual"]
    assert ["[Filtered]"] == found["notes"]


HARD_SECRETS = ("t", "0", "true", "user", "message", "kept", "getMe", 'say "hi" & <b>, or so')


@pytest.mark.parametrize("secret", HARD_SECRETS)
def test_reports_of_any_secret_are_whole(secret: str, tmp_path: Path) -> None:
    """A short secret, a word and one with the signs of a format leave the reports as they are."""
    plain = report(violation(actual='got "here"', answer="200\n{}"), line="3 requests: it is so")
    found = violation(actual=f'got "{secret}"', answer=secret)
    whole = report(found, notes=[secret], problem=f"token={secret}", line="3 requests: it is so")
    whole.outcome.findings.secrets.add(secret)
    summary.write(plain, tmp_path / "plain.json")
    summary.write(whole, tmp_path / "summary.json")
    expected, shown = (
        json.loads((tmp_path / name).read_text("utf-8")) for name in ("plain.json", "summary.json")
    )
    assert 'got "[Filtered]"' == shown["violations"][0]["actual"]
    assert "[Filtered]" == shown["violations"][0]["answer"]
    assert (["[Filtered]"], "token=[Filtered]") == (shown["notes"], shown["problem"])
    for document in (expected, shown):
        for name in ("actual", "answer"):
            del document["violations"][0][name]
        del document["notes"], document["problem"]
    assert expected == shown
    cases = [each.get("name") for each in xml(plain, tmp_path).iter("testcase")]
    assert cases == [each.get("name") for each in xml(whole, tmp_path).iter("testcase")]
    page.write(whole, tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text("utf-8")
    assert "got &#34;[Filtered]&#34;" in text
    assert html.escape(f'got "{secret}"').replace("&quot;", "&#34;") not in text
    assert "</html>" in text


@pytest.mark.parametrize("secret", HARD_SECRETS)
def test_terminal_shows_no_secret(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The words of the terminal stay readable, and the value is not shown."""
    whole = report(violation(actual=f'got "{secret}"'), notes=[f"apiKey={secret}"])
    whole.outcome.findings.secrets.add(secret)
    Terminal().end(whole)
    printed = capsys.readouterr().out
    assert 'actual:   got "[Filtered]"' in printed
    assert "Note: apiKey=[Filtered]" in printed
    assert "Requests by operation and layer:" in printed


# For CI


def xml(whole: Report, folder: Path) -> ET.Element:
    """Write the JUnit report, and parse it with an independent parser."""
    path = folder / "junit.xml"
    junit.write(whole, path)
    return ET.fromstring(path.read_bytes())


def counts(element: ET.Element) -> dict[str, int]:
    """Return the counts in an element's attributes."""
    return {n: int(element.attrib[n]) for n in ("tests", "failures", "errors", "skipped")}


def counted(element: ET.Element) -> dict[str, int]:
    """Count the cases in an element."""
    return {
        "tests": len(element.findall(".//testcase")),
        "failures": len(element.findall(".//failure")),
        "errors": len(element.findall(".//error")),
        "skipped": len(element.findall(".//skipped")),
    }


@pytest.mark.parametrize(
    "whole",
    [
        report(),
        report(BROKEN),
        report(BROKEN, KNOWN, ELSEWHERE),
        report(problem="the server went away", status=ExitStatus.INCOMPLETE),
        report(status=ExitStatus.INCOMPLETE, allowed=True),
        report(BROKEN, status=ExitStatus.INTERNAL_ERROR),
        report(status=ExitStatus.INTERRUPTED),
    ],
    ids=["kept", "broken", "several", "incomplete", "allowed", "internal error", "interrupted"],
)
def test_junit_counts_match_the_cases(whole: Report, tmp_path: Path) -> None:
    """Each operation has a case for each of its rules, the run one, and the counts match."""
    root = xml(whole, tmp_path)
    assert "testsuites" == root.tag
    for suite in root.findall("testsuite"):
        assert counted(suite) == counts(suite)
    total = counted(root)
    failed = whole.verdict.status not in (ExitStatus.KEPT, ExitStatus.BROKEN)
    failed = failed and not whole.verdict.allowed
    pairs = sum(len(rule.operations) for rule in RULES.values())
    assert pairs + 1 == total["tests"]
    names = [suite.attrib["name"] for suite in root.findall("testsuite")]
    assert [*all_operations(), "run"] == names
    new = {(b.operation, b.rule) for b in whole.outcome.findings.unknown}
    assert (len(new), int(failed)) == (total["failures"], total["errors"])
    assert 12.3456 == pytest.approx(float(root.attrib["time"]), abs=0.01)


def case(root: ET.Element, operation: str, rule: str) -> ET.Element:
    """Return the case of a rule on an operation."""
    (found,) = [
        each
        for each in root.iter("testcase")
        if each.attrib["classname"] == f"contract.{operation}"
        and each.attrib["name"] == f"{rule}: {RULES[rule].words}"
    ]
    return found


def test_each_case_has_its_result(tmp_path: Path) -> None:
    """A case is passed, failed with all details, accepted, or skipped with the reason."""
    root = xml(report(BROKEN, KNOWN), tmp_path)
    assert [] == list(case(xml(report(), tmp_path), "getMe", "me"))
    (failure,) = case(root, "getMe", "me")
    assert ("failure", "expected: this; actual: that other thing") == (
        *(failure.tag, failure.attrib["message"]),
    )
    text = failure.text or ""
    for part in (BROKEN.words, BROKEN.document, BROKEN.answer, BROKEN.commands):
        assert part in text
    (known,) = case(root, "search", "bounds")
    assert ("skipped", "accepted by the baseline: that") == (known.tag, known.attrib["message"])
    (skipped,) = case(root, "sendMessage", "queued")
    row = next(r for r in report().rows if (r.operation, r.what) == ("sendMessage", "queued"))
    assert ("skipped", row.reason) == (skipped.tag, skipped.attrib["message"])


def test_several_places_are_in_one_case(tmp_path: Path) -> None:
    """A rule that is violated at two places is one case with two failures."""
    places = [violation("search", "bounds", place=place) for place in ("size", "q")]
    root = xml(report(*places), tmp_path)
    assert ["failure", "failure"] == [each.tag for each in case(root, "search", "bounds")]


@pytest.mark.parametrize("nasty", [EVIL, CONTROLS, "half \ud83d of one \udc00", "\x1b[31mred"])
def test_xml_is_valid_for_any_text(nasty: str, tmp_path: Path) -> None:
    """Characters that XML does not allow, however written, are visible escapes."""
    nasty_break = violation(expected=nasty, actual=nasty, answer=nasty, commands=nasty)
    whole = report(nasty_break, status=ExitStatus.INCOMPLETE, line=nasty)
    root = xml(whole, tmp_path)
    expected = printable(nasty)
    (failure,) = case(root, "getMe", "me")
    assert f"expected: {expected}; actual: {expected}" == failure.attrib["message"]
    assert expected in (failure.text or "")
    (error,) = root.iter("error")
    assert expected == error.attrib["message"]


def test_xml_has_no_secrets(tmp_path: Path) -> None:
    """Secrets are filtered from violations and from the verdict."""
    path = tmp_path / "junit.xml"
    junit.write(report(violation(actual=KEY, commands=KEY), line=KEY), path)
    assert KEY not in path.read_text("utf-8")
    assert "[Filtered]" in path.read_text("utf-8")


# For people


class Page(HTMLParser):
    """A parser that collects a page's elements, text and links."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.metas: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.classes: dict[str, str] = {}
        self.handlers: list[str] = []
        self.depth: list[str] = []
        self.text = ""
        self.pres: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.tags.append(tag)
        values = dict(attrs)
        if tag == "meta":
            self.metas.append(values)
        else:
            self.depth.append(tag)
        if tag == "pre":
            self.pres.append("")
        self.ids += [v for n, v in attrs if n == "id" and v]
        self.links += [v for n, v in attrs if n in ("href", "src", "action", "srcset") and v]
        self.handlers += [n for n, _ in attrs if n.startswith("on") or n == "style"]
        if values.get("class"):
            self.classes[tag] = str(values["class"])

    def handle_endtag(self, tag: str) -> None:
        """Check that elements are closed in order."""
        assert tag == self.depth.pop()

    def handle_data(self, data: str) -> None:
        """Record the text."""
        if "style" not in self.depth:
            self.text += data
        if "pre" in self.depth:
            self.pres[-1] += data


@pytest.fixture(params=["kept", "broken", "known", "stopped", "error", "interrupted"])
def kind(request: pytest.FixtureRequest) -> Report:
    """Create a report of each kind."""
    kinds = {
        "kept": report(notes=[f"note {EVIL} {KEY}"], line=f"kept {EVIL}"),
        "broken": report(
            violation(actual=f"{EVIL} {KEY}", answer=EVIL, place=EVIL), ELSEWHERE, KNOWN
        ),
        "known": report(KNOWN),
        "stopped": report(
            problem=f"gone {EVIL}",
            status=ExitStatus.INCOMPLETE,
            unfinished={f"a {EVIL}": f"b {EVIL}"},
        ),
        "error": report(status=ExitStatus.INTERNAL_ERROR, line=f"Internal error: {EVIL}"),
        "interrupted": report(status=ExitStatus.INTERRUPTED, repeat=EVIL, base_url=EVIL),
    }
    return kinds[request.param]


def test_page_is_self_contained(kind: Report) -> None:
    """Links stay on the page, and a policy forbids scripts and other sources."""
    source = page.render(kind)
    found = Page(source)
    assert {"script", "link", "img", "iframe", "object", "form", "base"} & set(found.tags) == set()
    assert [] == found.handlers
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'",
    } in found.metas
    hosts = set(re.findall(r"https?://[^\s<\"&]+", source))
    assert hosts <= {BASE}
    assert "url(" not in source
    assert "@import" not in source


def test_page_is_well_formed(kind: Report) -> None:
    """Each element is closed, ids are unique, and the title is the verdict."""
    found = Page(page.render(kind))
    assert [] == found.depth
    assert len(found.ids) == len(set(found.ids))
    assert found.text.count(kind.verdict.line) >= 2
    assert kind.verdict.status.name.lower() == found.classes["h1"]


def test_page_escapes_text_of_the_server(kind: Report) -> None:
    """HTML and template syntax are shown as text."""
    source = page.render(kind)
    assert "<script" not in source
    assert "49" not in re.findall(r"\{\{.*?\}\}|alert\(1\).{0,40}", source)
    text = Page(source).text
    if kind.outcome.findings.unknown or kind.outcome.notes or kind.outcome.problem:
        assert "<script>alert(1)</script>" in text
        assert "{{ 7*7 }} {% raw %}" in text


def test_page_is_written_without_secrets(kind: Report, tmp_path: Path) -> None:
    """No kind of report has secrets in its file."""
    path = tmp_path / "index.html"
    page.write(kind, path)
    text = path.read_text("utf-8")
    assert KEY not in text
    assert (KEY in page.render(kind)) == ("[Filtered]" in text)


@pytest.mark.parametrize("name", ["index.html", "junit.xml", "summary.json"])
def test_no_report_has_control_characters(name: str, tmp_path: Path) -> None:
    """Each report is private, and is text on a terminal, whatever the server sent."""
    nasty = f"{CONTROLS}\x9b2J\u202e\u2028\ud83d\U000e0041"
    found = violation(expected=nasty, actual=nasty, answer=nasty, commands=nasty, snippet=nasty)
    path = tmp_path / name
    writers = {"index.html": page.write, "junit.xml": junit.write, "summary.json": summary.write}
    writers[name](report(found, problem=nasty, notes=[nasty], line=nasty), path)
    text = path.read_bytes().decode("utf-8")
    assert printable(text) == text
    assert 0o600 == path.stat().st_mode & 0o777
    if name == "summary.json":
        assert [nasty] == json.loads(text)["notes"]


@pytest.mark.parametrize(
    ("status", "allowed", "tag"),
    [
        (ExitStatus.KEPT, False, "system-out"),
        (ExitStatus.BROKEN, False, "system-out"),
        (ExitStatus.INCOMPLETE, False, "error"),
        (ExitStatus.INCOMPLETE, True, "skipped"),
        (ExitStatus.INTERNAL_ERROR, False, "error"),
        (ExitStatus.INTERRUPTED, False, "error"),
    ],
)
def test_verdict_is_a_case_in_junit(
    status: ExitStatus, allowed: bool, tag: str, tmp_path: Path
) -> None:
    """The case of the verdict has an error unless the tests ended, so that CI shows it."""
    whole = report(status=status, line="the last line", allowed=allowed)
    (found,) = xml(whole, tmp_path).findall("testsuite[@name='run']/testcase[@name='verdict']")
    (result,) = found
    assert (tag, "the last line") == (result.tag, result.get("message", result.text))


def test_page_has_each_finding_with_its_reproduction() -> None:
    """Violations are grouped by rule and operation, new ones before known ones."""
    other = violation("search", "bounds", place="q", commands="curl other")
    found = Page(
        page.render(report(KNOWN, BROKEN, violation("search", "bounds", place="size"), other))
    )
    assert ["1", "2", "3"] == re.findall(r"^(\d)\. ", found.text, re.MULTILINE)
    assert "accepted by the baseline" in found.text
    for part in (BROKEN.actual, BROKEN.words, BROKEN.document, BROKEN.key, other.key, "Also: q"):
        assert part in found.text
    assert ["curl -sS x", "curl other"] == [
        text for text in dict.fromkeys(found.pres) if text.startswith("curl")
    ]
    assert found.text.index(BROKEN.key) < found.text.index(KNOWN.key)


def test_page_shows_names_in_rules_as_code() -> None:
    """Backticks in the words of a rule become an element, in each place with these words."""
    source = page.render(report(violation("sendMessage", "answer-form"), BROKEN))
    (name,) = re.findall("`(.*?)`", RULES["answer-form"].words)
    assert 3 <= source.count(f"<code>{name}</code>")
    assert all(rule.words not in source for rule in RULES.values() if "`" in rule.words)


def test_page_leaves_out_missing_details() -> None:
    """Missing details of a violation are omitted."""
    alone = violation(answer="", commands="", snippet="")
    found = Page(page.render(report(alone)))
    assert ["1"] == re.findall(r"^(\d)\. ", found.text, re.MULTILINE)
    assert ["siteassist-contract --seed 7"] == found.pres
    assert "See it yourself" not in found.text


def test_page_counts_what_was_tested() -> None:
    """The page counts tested rules and statuses, and the reasons for the rest."""
    whole = report()
    source = page.render(whole).replace("</td>", " </td>")
    text = " ".join(Page(source).text.split())
    rules = [row for row in whole.rows if row.kind == "rule"]
    statuses = [row for row in whole.rows if row.kind == "status"]
    assert f"Tested: 1 of {len(rules)} pairs of operation and rule." in text
    assert f"Seen: 1 of {len(statuses)} pairs of operation and status." in text
    for reason, count in gaps(whole.rows).items():
        assert f"{count} {reason}" in text
    for operation in all_operations().values():
        assert operation.label in text


def test_unknown_operation_is_shown_by_its_name() -> None:
    """An operation outside the description has no label."""
    row = Row("getMe", "rule", "me", 1, "")
    assert "somethingElse" in page.render(report(violation("somethingElse"), rows=[row]))


def test_each_report_has_the_facts_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Date, versions, server, profile, seed, plan and cost are in all four forms."""
    whole = report(BROKEN, planned=["a", "b"], unfinished={"b": "not begun"})
    assert {
        "Server": BASE,
        "Date": "2030-01-31 12:30:15 UTC",
        "Versions": "siteassist 1.2.3, Python 3.14.0",
        "Profile": "quick (under 30 seconds: after every change)",
        "Seed": "7",
        "Selection": "all tests",
        "Plan": "1 of 2 steps finished, time limit 24 s",
        "Duration": "12 s",
        "Cost": "9 requests, 0 answers of the assistant",
    } == whole.facts
    shown = " ".join(Page(page.render(whole)).text.split())
    Terminal().end(whole)
    printed = " ".join(capsys.readouterr().out.split())
    properties = {
        each.attrib["name"]: each.attrib["value"] for each in xml(whole, tmp_path).iter("property")
    }
    for name, text in whole.facts.items():
        assert text in shown
        assert f"{name}: {text}" in printed
        assert text == properties[name.lower()]
    assert whole.repeat == properties["repeat"]
    stamps = {suite.attrib["timestamp"] for suite in xml(whole, tmp_path).findall("testsuite")}
    assert {"2030-01-31T12:30:15+00:00"} == stamps
