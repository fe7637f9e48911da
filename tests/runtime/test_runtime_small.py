"""The small modules: what was left out, a queued message, an operation."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import pytest

from siteassist_runtime import unset
from siteassist_runtime.operation import OperationInfo
from siteassist_runtime.streaming.queued import QueuedNotice
from siteassist_runtime.unset import UNSET, Unset

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

# UNSET.


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unset_stays_itself_when_pickled(protocol: int) -> None:
    """By itself and within something else; the generated code compares by identity."""
    assert UNSET is pickle.loads(pickle.dumps(UNSET, protocol))
    whole = SimpleNamespace(a=UNSET, b=[UNSET, None])
    again = pickle.loads(pickle.dumps(whole, protocol))
    assert UNSET is again.a
    assert [UNSET, None] == again.b
    assert UNSET is again.b[0]


def test_unset_stays_itself_when_copied() -> None:
    """Shallow or deep."""
    assert UNSET is copy.copy(UNSET)
    assert UNSET is copy.deepcopy(UNSET)
    again = copy.deepcopy({"a": [UNSET]})
    assert UNSET is again["a"][0]


def test_unset_counts_as_false() -> None:
    """So that `value or default` reads well; it equals nothing but itself."""
    assert not UNSET
    assert "default" == (UNSET or "default")
    assert UNSET not in [None, False, 0, "", Unset()]


def test_unset_is_shown_by_its_name() -> None:
    """In messages and in the shown forms of models."""
    assert "UNSET" == repr(UNSET)
    assert "UNSET" == str(UNSET)
    assert UNSET is getattr(unset, repr(UNSET))
    assert Unset is type(UNSET)


# QueuedNotice.


def test_a_notice_is_its_words() -> None:
    """It can be used as a string, and printed like an answer."""
    notice = QueuedNotice("Message sent")
    assert "Message sent" == notice
    assert "Message sent" == notice.text
    assert str is type(notice.text)
    assert "Message sent!" == f"{notice}!"
    assert notice.queued is True


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_notice_stays_one_when_pickled_or_copied(protocol: int) -> None:
    """It still says that the message is queued."""
    notice = QueuedNotice("é")
    for again in (
        pickle.loads(pickle.dumps(notice, protocol)),
        copy.copy(notice),
        copy.deepcopy(notice),
    ):
        assert notice == again
        assert QueuedNotice is type(again)


def test_a_notice_holds_nothing_else() -> None:
    """What it does not have cannot be set by mistake."""
    notice = QueuedNotice("Message sent")
    for name in ("text", "queued", "more"):
        with pytest.raises(AttributeError):
            setattr(notice, name, "x")


# Operation.


@pytest.mark.parametrize(
    ("method", "safe"),
    [("GET", True), ("POST", False), ("PUT", False), ("DELETE", False), ("PATCH", False)],
)
def test_only_reading_is_safe(method: str, safe: bool) -> None:
    """What changes something must not be done twice by a retry."""
    assert safe is OperationInfo("name", method, bearer=True).safe


def test_an_operation_is_a_value() -> None:
    """It can be compared, taken apart and used as a key."""
    operation = OperationInfo("getMe", "GET", bearer=True)
    assert ("getMe", "GET", True) == (operation.name, operation.method, operation.bearer)
    assert OperationInfo("getMe", "GET", bearer=True) == operation
    assert {operation: 1} == {OperationInfo("getMe", "GET", bearer=True): 1}
