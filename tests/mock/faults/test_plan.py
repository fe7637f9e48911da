"""Tests for the parser of faults and for the plan that selects them."""

from __future__ import annotations

import pytest

from siteassist_mock.faults.plan import FAULTS, Fault, FaultPlan, parse_fault, parse_planned


@pytest.mark.parametrize(
    ("text", "fault", "rate"),
    [
        ("truncate", Fault("truncate"), 1.0),
        ("truncate:0.25", Fault("truncate"), 0.25),
        ("delay=0.5:1", Fault("delay", 0.5), 1.0),
        (" delay = 2 ", Fault("delay", 2.0), 1.0),
        ("drip", Fault("drip", 0.0), 1.0),
        ("drip=0.01", Fault("drip", 0.01), 1.0),
        ("reset", Fault("reset", "start"), 1.0),
        ("reset=middle:0.1", Fault("reset", "middle"), 0.1),
        ("oversized-body", Fault("oversized-body", 16_777_216), 1.0),
        ("oversized-body=10", Fault("oversized-body", 10), 1.0),
        ("socket-refuse", Fault("socket-refuse", 503), 1.0),
        ("socket-refuse=401:0.5", Fault("socket-refuse", 401), 0.5),
        ("socket-close", Fault("socket-close", 1011), 1.0),
        ("socket-close=4001", Fault("socket-close", 4001), 1.0),
        ("socket-late=0.5", Fault("socket-late", 0.5), 1.0),
    ],
)
def test_a_fault_has_a_name_a_value_and_a_rate(text: str, fault: Fault, rate: float) -> None:
    """The rate may be omitted, and so may the value where it has a default."""
    assert (fault, rate) == parse_planned(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "unknown fault ''; known faults: delay, drip, reset"),
        ("Truncate", "unknown fault 'Truncate'"),
        ("delay", "the fault delay takes the seconds to wait, 0 to 3600, got ''"),
        ("delay=nan", "the fault delay takes .*, got 'nan'"),
        ("delay=3601", "the fault delay takes"),
        ("drip=-1", "the fault drip takes"),
        ("drip=x", "the fault drip takes"),
        ("reset=now", "the fault reset takes 'start', 'middle' or nothing, got 'now'"),
        ("truncate=1", "the fault truncate takes no value, got '1'"),
        ("oversized-body=0", "the fault oversized-body takes"),
        ("oversized-body=1073741825", "the fault oversized-body takes"),
        ("socket-refuse=200", "the fault socket-refuse takes a status, one of 400, 401, "),
        ("socket-close=1006", "the fault socket-close takes a close code, 1000 to 4999, or"),
        ("socket-close=x", "the fault socket-close takes"),
        ("socket-late", "the fault socket-late takes the seconds to wait"),
        ("truncate:", "the share of a fault must be a number above 0 and at most 1, got ''"),
        ("truncate:0", "the share of a fault"),
        ("truncate:1.1", "the share of a fault"),
        ("truncate:nan", "the share of a fault"),
        ("truncate:x", "the share of a fault"),
    ],
)
def test_an_invalid_fault_is_refused(text: str, problem: str) -> None:
    """The error names the invalid part and the expected values."""
    with pytest.raises(ValueError, match=f"^{problem}"):
        parse_planned(text)


def test_every_fault_can_be_parsed() -> None:
    """Each fault can be parsed by its name."""
    for name in FAULTS:
        value = "1" if name in {"delay", "socket-late"} else ""
        assert name == parse_fault(name, value).name


def test_sockets_do_not_change_the_faults_of_responses() -> None:
    """Responses and sockets have sequences of their own, each with its own faults."""
    texts = ["truncate:0.5", "socket-drop:0.5"]
    alone, mixed = FaultPlan(texts, 7), FaultPlan(texts, 7)
    responses = [alone.choose() for _ in range(20)]
    found = []
    for _ in range(20):
        mixed.choose_for_socket()
        found.append(mixed.choose())
    assert responses == found
    names = {fault.name for _ in range(20) for fault in mixed.choose_for_socket()}
    assert {"socket-drop"} == names


def test_a_seed_makes_the_plan_reproducible() -> None:
    """The seed determines the faults; one fault does not affect another's sequence."""

    def names(seed: int, *texts: str) -> list[list[str]]:
        plan = FaultPlan(texts, seed)
        return [[fault.name for fault in plan.choose()] for _ in range(1000)]

    both = names(1, "truncate:0.2", "drip:0.5")
    assert both == names(1, "truncate:0.2", "drip:0.5")
    assert both != names(2, "truncate:0.2", "drip:0.5")
    assert 150 < sum("truncate" in chosen for chosen in both) < 250
    assert 450 < sum("drip" in chosen for chosen in both) < 550
    assert [["drip"]] * 1000 == names(1, "drip")


def test_an_empty_plan_has_no_faults() -> None:
    """A plan without faults selects none."""
    assert [] == FaultPlan(()).choose()
