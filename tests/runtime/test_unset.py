"""``UNSET``: one falsy value that survives copies and pickles."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace

import pytest

from siteassist_runtime import unset
from siteassist_runtime.unset import UNSET, Unset

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


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
