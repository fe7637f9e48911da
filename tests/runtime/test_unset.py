"""`UNSET`: a falsy singleton that survives copying and pickling."""

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
    """Unpickling returns the same object, alone or nested; the client compares by identity."""
    assert UNSET is pickle.loads(pickle.dumps(UNSET, protocol))
    whole = SimpleNamespace(a=UNSET, b=[UNSET, None])
    again = pickle.loads(pickle.dumps(whole, protocol))
    assert UNSET is again.a
    assert [UNSET, None] == again.b
    assert UNSET is again.b[0]


def test_unset_stays_itself_when_copied() -> None:
    """Shallow and deep copies return the same object."""
    assert UNSET is copy.copy(UNSET)
    assert UNSET is copy.deepcopy(UNSET)
    again = copy.deepcopy({"a": [UNSET]})
    assert UNSET is again["a"][0]


def test_unset_counts_as_false() -> None:
    """`UNSET` is falsy, for `value or default`, and equals only itself."""
    assert not UNSET
    assert "default" == (UNSET or "default")
    assert UNSET not in [None, False, 0, "", Unset()]


def test_unset_is_shown_by_its_name() -> None:
    """Its repr and str are its name."""
    assert "UNSET" == repr(UNSET)
    assert "UNSET" == str(UNSET)
    assert UNSET is getattr(unset, repr(UNSET))
    assert Unset is type(UNSET)
