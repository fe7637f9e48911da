"""Redaction of credentials and session tokens in reports."""

from __future__ import annotations

import pytest

from siteassist_contract.http.redaction import Filter


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"sessionToken": "a.b"}', b'{"sessionToken": "[Filtered]"}'),
        (b'{"sessionToken":"a\\"b","x":1}', b'{"sessionToken":"[Filtered]","x":1}'),
        (b'{"sessionToken": 5}', b'{"sessionToken": 5}'),
        (b"<p>xkey-1234x</p>", b"<p>x[Filtered]x</p>"),
        (b"\xff key-1234", b"\xff [Filtered]"),
        (b'{"type": "t", "user": "user"}', b'{"type": "t", "user": "user"}'),
        (b"harmless", b"harmless"),
    ],
)
def test_secrets_are_filtered(body: bytes, expected: bytes) -> None:
    """Session tokens and known credentials are replaced, and everything else is kept."""
    assert expected == Filter(["key-1234", "t", "user", "", None]).body(body)


def test_text_is_filtered() -> None:
    """Any text can be filtered, lone surrogates included; short tokens are kept."""
    secrets = Filter()
    secrets.add("key-1")
    secrets.add_token("made-up")
    secrets.add_token(20 * "t")
    expected = "\ud800 [Filtered] made-up [Filtered] ü"
    assert expected == secrets.text(f"\ud800 key-1 made-up {20 * 't'} ü")


@pytest.mark.parametrize("secret", ["t", "0", "true", "user", "message", "conversation"])
def test_word_is_filtered_as_a_value_only(secret: str) -> None:
    """A secret that is a word leaves other texts as they are, and is no sign of a leak."""
    secrets = Filter([secret])
    words = "3 requests got no answer: it is true that 10 users opened conversations"
    assert words == secrets.text(words)
    assert not secrets.shows(f'{{"{secret}": "{secret}", "text": "{words}"}}'.encode())
    for place in ("{}", 'no "{}"', "/search?apiKey={}&q=x", "Authorization: Bearer {}"):
        assert place.format("[Filtered]") == secrets.text(place.format(secret))


def test_secret_is_recognised() -> None:
    """Credentials of the run and session tokens of earlier responses are recognised."""
    secrets = Filter(["key-1"])
    assert secrets.shows(b"<key-1>")
    assert not secrets.shows(b"<key-2>")
    assert not secrets.shows(b"<key-1>", besides=b"apiKey=key-1")
    assert secrets.shows(b"<key-1>", besides=b"key-2")
    secrets.body(b'{"sessionToken": "short"}')
    secrets.body(b'{"sessionToken": "' + 16 * b"t" + b'"}')
    assert not secrets.shows(b"short")
    assert secrets.shows(b"x" + 16 * b"t")


def test_empty_credential_is_not_a_secret() -> None:
    """An empty credential would match any text."""
    secrets = Filter(["", None])
    secrets.add("")
    assert not secrets.shows(b"anything")
    assert "anything" == secrets.text("anything")


def test_hidden_text_is_not_a_secret_of_answers() -> None:
    """A header's value may be a common word: it is hidden in text, and judged in no answer."""
    secrets = Filter(hidden=["gateway", "gateway-word", 'a"b', "t"])
    assert not secrets.shows(b"gateway")
    assert b"gateway" == secrets.body(b"gateway")
    assert '[Filtered] [Filtered] "[Filtered]"' == secrets.text('gateway gateway-word "a\\"b"')
    assert "two gateways: x=[Filtered]" == secrets.text("two gateways: x=t")


def test_hidden_credential_is_hidden_as_a_part_of_other_text() -> None:
    """The value of a header that is no word is hidden like a secret, in any spelling."""
    secrets = Filter(hidden=["s3cr3t/value+99"])
    assert not secrets.shows(b"s3cr3t/value+99")
    assert "tok_[Filtered]_x" == secrets.text("tok_s3cr3t/value+99_x")
    assert "?x=[Filtered]" == secrets.text("?x=s3cr3t%2Fvalue%2B99")
