"""The client reads every kind of content that the mock can be told to send."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from siteassist import SiteAssist, StreamError
from siteassist.models import TextPart
from siteassist_mock.testing import mock_server
from tests.values import ANSWERS, PRIVATE_KEY

RULES = {rule["when"]: rule for rule in YAML(typ="safe", pure=True).load(ANSWERS)}


@pytest.mark.parametrize("question", RULES)
def test_a_scripted_answer_is_read_and_rated(question: str) -> None:
    """Each event is an object of its class, and the answer is rated by the id of the stream."""
    kinds, error = set(), ""
    with (
        mock_server(script=ANSWERS, strict=True) as url,
        SiteAssist(token=PRIVATE_KEY, base_url=url) as client,
    ):
        chat = client.start_conversation()
        with client.send_message_stream(chat.id, content=question) as stream:
            try:
                kinds = {type(event).__name__ for event in stream}
            except StreamError as failure:
                error = str(failure)
        assert stream.message_id is not None
        client.send_message_feedback(stream.message_id, feedback="like")
        _, message = client.get_messages(chat.id)
    assert "OtherPayload" not in kinds
    assert RULES[question].get("error", "") in error
    assert (stream.message_id, "like") == (str(message.id), message.feedback)
    assert bool(error or stream.aborted) == (message.status == "error")
    assert stream.done == (message.status == "complete")
    texts = [part.text for part in message.parts if isinstance(part, TextPart)]
    assert stream.text == "".join(texts) != ""
