"""`QueuedNotice`: the text of a 202 response, an immutable string."""

from __future__ import annotations

import copy
import pickle

import pytest

from siteassist_runtime.streaming.queued import QueuedNotice

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def test_notice_is_a_string() -> None:
    """A notice is a string and, like an answer, has a `text`."""
    notice = QueuedNotice("Message sent")
    assert "Message sent" == notice
    assert "Message sent" == notice.text
    assert str is type(notice.text)
    assert "Message sent!" == f"{notice}!"
    assert notice.queued is True


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_notice_can_be_pickled_and_copied(protocol: int) -> None:
    """A pickled or copied notice is equal and has the same type."""
    notice = QueuedNotice("é")
    for again in (
        pickle.loads(pickle.dumps(notice, protocol)),
        copy.copy(notice),
        copy.deepcopy(notice),
    ):
        assert notice == again
        assert QueuedNotice is type(again)


def test_notice_is_immutable() -> None:
    """No attribute of a notice can be set."""
    notice = QueuedNotice("Message sent")
    for name in ("text", "queued", "more"):
        with pytest.raises(AttributeError):
            setattr(notice, name, "x")
