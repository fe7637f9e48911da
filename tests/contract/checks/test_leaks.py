"""Leaks in errors: internals of the server are found, ordinary words are not."""

from __future__ import annotations

import json

import pytest

from siteassist_contract.checks.leaks import find
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.redaction import Filter
from tests.description import SPEC

TRACE, PATH, SQL, ERROR = (
    "a stack trace",
    "a path of the server",
    "SQL",
    "an exception of the server's language",
)


def error(content: str | bytes, target: str = "/x", body: bytes = b"") -> Exchange:
    """Create the response to a refused request."""
    sent = content if isinstance(content, bytes) else content.encode()
    return Exchange("getMe", "", "POST", target, body, "", 500, {}, sent, 0.1, 0.1, 1)


def kinds(content: str | bytes, target: str = "/x", body: bytes = b"") -> set[str]:
    """Return the kinds of leaks in an error."""
    return {found.partition(":")[0] for found in find(error(content, target, body), Filter())}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Traceback (most recent call last):\n", TRACE),
        ("Error: no\n    at handler (index.js:10:5)", TRACE),
        ("Error: no\n    at index.js:10:5", TRACE),
        ('File "main.py", line 5, in x', TRACE),
        ("at com.shop.Main.run(Main.java:42)", TRACE),
        ("goroutine 1 [running]:", TRACE),
        ("cannot open /usr/lib/x.so", PATH),
        ("(/home/deploy/site.py)", PATH),
        ("'/var/log/app.log'", PATH),
        ("no /opt/site/bin", PATH),
        ("no /app/main.js", PATH),
        ("no /srv/www/x", PATH),
        ("no /root/.ssh/id", PATH),
        ("no /etc/passwd", PATH),
        ("no /tmp/upload-1", PATH),
        (r"no C:\inetpub\wwwroot", PATH),
        (json.dumps({"m": r"no D:\sites\x"}), PATH),
        ("in node_modules/express", PATH),
        ("SELECT * FROM visitors WHERE id = 1", SQL),
        ("select id, name from visitors where id = 1", SQL),
        ("INSERT INTO messages VALUES (1)", SQL),
        ("DELETE FROM messages", SQL),
        ("UPDATE messages SET feedback = 1", SQL),
        ("SQLSTATE[23000]", SQL),
        ("(sqlite3.OperationalError) locked", SQL),
        ("psycopg2.errors.UniqueViolation", SQL),
        ("psycopg.OperationalError", SQL),
        ("sqlalchemy.exc", SQL),
        ("asyncpg.exceptions", SQL),
        ("ORA-00942: no table", SQL),
        ("java.lang.IllegalState", ERROR),
        ("NullPointerException", ERROR),
        ("System.InvalidOperationException", ERROR),
        ("TypeError: x is undefined", ERROR),
        ("KeyError: 'id'", ERROR),
        ("ReferenceError: y", ERROR),
        ("panic: index out of range", ERROR),
    ],
)
def test_each_kind_is_found(text: str, kind: str) -> None:
    """A leak is found in plain text and in the message of a documented error."""
    document = json.dumps({"error": {"code": "INTERNAL", "message": text}}, ensure_ascii=False)
    assert kind in kinds(text)
    assert kind in kinds(document)


def test_quotation_is_shortened() -> None:
    """A long leak is quoted by its beginning."""
    (leak,) = find(error("no /srv/" + 200 * "a"), Filter())
    assert f"{PATH}: /srv/{75 * 'a'}" == leak


def test_all_kinds_are_found_at_once() -> None:
    """All kinds of leaks in one error are found."""
    text = 'Traceback (most recent call last):\n File "/srv/a", line 1\nKeyError: SELECT a FROM b'
    assert {TRACE, PATH, SQL, ERROR} == kinds(text)


def test_examples_of_the_description_have_no_leak() -> None:
    """No example in ``openapi.yaml`` counts as a leak."""
    examples = SPEC["components"]["examples"]
    alarms = {
        name: found
        for name, example in examples.items()
        if (found := find(error(json.dumps(example["value"])), Filter()))
    }
    assert {} == alarms
    assert len(examples) > 11


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Please select another plan.",
        "The value was updated; set it again.",
        "Insert a message into the body.",
        "Not found: /conversations/1/messages",
        "See https://docs.example.com/home/errors and https://example.com/app/x",
        "Cannot POST /v2/usr",
        "An exception was made. A TypeError is something else.",
        "Come back at noon (12:30:00), or at 9:30",
        "Documents: file:///etc is no address",
        "tmp/x and ../app/x are relative",
        "orange, ora-1, PG and a panic",
        "\ufffd \x00",
        "Please select a plan from the list.",
        "See /app/settings in your dashboard, or /home.",
        "The conversation at /v2/conversations/1 is closed.",
    ],
)
def test_ordinary_words_are_not_leaks(text: str) -> None:
    """Text for users may contain words that resemble SQL, paths or exceptions."""
    assert set() == kinds(text)
    assert set() == kinds(json.dumps({"error": {"message": text}}))


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/search?q=/etc/passwd", b""),
        ("/x", b'{"content": "no /etc/passwd"}'),
        ("/etc/passwd", b"\xff"),
    ],
)
def test_text_of_the_request_is_not_a_leak(target: str, body: bytes) -> None:
    """A refusal may repeat the value that it refuses."""
    assert set() == kinds("There is no /etc/passwd here", target, body)
    assert {PATH} == kinds("There is no /etc/shadow here", target, body)


def test_invalid_utf_8_is_searched() -> None:
    """A path is found among bytes that are not UTF-8."""
    assert {PATH} == kinds(b"\xff\xfe /etc/passwd \xff")


def test_credential_is_found_and_not_shown() -> None:
    """A credential is a leak unless the request had it in its URL or body; it is not quoted."""
    secrets = Filter(["sa_pk_1234567890abcdef"])
    content = b'{"error": {"message": "sa_pk_1234567890abcdef"}}'
    assert ["a credential"] == find(error(content), secrets)
    assert [] == find(error(content, "/search?apiKey=sa_pk_1234567890abcdef"), secrets)
    assert [] == find(error(content, body=b'{"apiKey":"sa_pk_1234567890abcdef"}'), secrets)
    assert [] == find(error(b"pk_made_up"), secrets)


def test_later_match_is_found() -> None:
    """A leak is found after a match that only repeats the request."""
    content = "no /etc/hosts in /usr/lib/x.so"
    assert {PATH} == kinds(content, target="/search?q=/etc/hosts")
