"""Explanations of references, such as ``O-2``, in reports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from siteassist_contract.report import junit, page, references, summary
from siteassist_contract.report.tested_rules import gaps
from siteassist_contract.rules import GAPS, RULES
from tests.contract.report.sample_reports import report, violation

TEXTS = [*(rule.document for rule in RULES.values()), *GAPS.values(), *gaps(report().rows)]


@pytest.mark.parametrize("reference", sorted({*re.findall(r"\b[A-Z]-?\w+", " ".join(TEXTS))}))
def test_each_reference_is_explained(reference: str) -> None:
    """Each reference in a rule or a reason has a sentence."""
    if not re.fullmatch(r"P\d|[COR]-\d+|F-[a-z]+", reference):
        pytest.skip("a word")
    sentence = references.explained(reference)[reference]
    assert re.search(r"[.?]$", sentence)
    assert len(sentence) > 20


def test_explanations_come_from_the_evidence() -> None:
    """Pages, contradictions, readings and open questions are told apart."""
    assert {
        "F-status": 'The page "Status codes".',
        "C-18": "Contradiction: 401 where no token is asked for. Decision: 401 stays.",
        "R-26": "Reading: The same device gets the same visitor back.",
        "O-2": "Open question: An invalid request: 400 or 422? Either of the two.",
    } == references.explained("F-status (400), C-18", "R-26; O-2, X-1, O-999")


def test_reports_explain_their_references(tmp_path: Path) -> None:
    """The page, JUnit and the summary have the explanations of what they name."""
    whole = report(violation("getMe", "token-checked"))
    for name, text in references.explained(RULES["token-checked"].document).items():
        assert f"<dt>{name}</dt><dd>{text}</dd>" in page.render(whole).replace("&#34;", '"')
        assert text == summary.document(whole)["references"][name]
        junit.write(whole, tmp_path / "junit.xml")
        assert f"{name}: {text}" in (tmp_path / "junit.xml").read_text()
