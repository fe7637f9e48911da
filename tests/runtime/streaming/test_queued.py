"""The notice of a queued message: an immutable string."""

from __future__ import annotations

import copy
import pickle

import pytest

from siteassist_runtime.streaming.queued import QueuedNotice

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


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
