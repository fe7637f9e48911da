"""Faults of texts: characters that are changed, lost or cut between a request and a response."""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from starlette.types import ASGIApp

from siteassist_mock.http.errors import ApiError, error_response
from tests.faults import probes
from tests.faults.edits import received
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import EMOJI, Api
from tests.values import API_KEY, PROJECT_ID

__all__ = ["FAULTS"]

FAULTS = Faults("texts")
_add = FAULTS.add
_fault = FAULTS.fault

_SHOWN = {"url": "pageUrl", "title": "pageTitle", "textSelection": "textSelection"}
"""The fields of a page context that a message shows, and their names there."""


def _content(text: str, *, stream: bool = False) -> Probe:
    """Return a probe that the text of a message comes back."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.start()
        (visitor.stream if stream else visitor.say)(conversation, text)
        assert [text] == visitor.texts(conversation)[:1]

    return probe


def _page(field: str, text: str) -> Probe:
    """Return a probe that a text of the page context comes back."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.start()
        visitor.say(conversation, "Hi", pageContext={field: text})
        assert text == visitor.messages(conversation)[0][_SHOWN[field]]

    return probe


def _reason(text: str) -> Probe:
    """Return a probe that the reason for closing comes back."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.start()
        visitor.close(conversation, text)
        assert text == visitor.read(conversation)["closeReason"]

    return probe


def _without(characters: str) -> Callable[[str], str]:
    return lambda text: re.sub(f"[{characters}]", "", text)


# Messages.

_CONTENT = "SendMessageRequest.properties.content (R-31)"

for _name, _description, _make, _said in (
    (
        "content-composed",
        "Messages are stored in normal form C.",
        lambda text: unicodedata.normalize("NFC", text),
        "Zoe\u0308, man\u0303ana",
    ),
    (
        "carriage-returns-lost",
        "Line ends of Windows in messages become those of Unix.",
        lambda text: text.replace("\r\n", "\n"),
        "One\r\ntwo",
    ),
    (
        "joiners-removed",
        "Invisible joiners and variation selectors are removed from messages.",
        _without("\u200b-\u200d\u2060\ufe0e\ufe0f"),
        "می\u200cشوم 👩\u200d👧",
    ),
    (
        "hard-spaces-softened",
        "No-break and ideographic spaces in messages become plain spaces.",
        lambda text: re.sub("[\u00a0\u2007\u202f\u3000]", " ", text),
        "Wie teuer? 10\u202f000\u00a0€",
    ),
    (
        "smileys-become-emoji",
        "Smileys and short codes in messages become emoji.",
        lambda text: text.replace(":)", "🙂").replace(":smile:", "😄"),
        "Thanks :) :smile:",
    ),
    (
        "templates-filled-in",
        "Double braces in messages are replaced as in a template.",
        lambda text: re.sub(r"\{\{.*?\}\}", "", text),
        "What does {{ name }} mean?",
    ),
    (
        "escapes-in-content-decoded",
        "Escapes of JSON that are part of a message are decoded a second time.",
        lambda text: re.sub(
            r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match.group(1), 16)), text
        ),
        r"Is \u00e9 an escape?",
    ),
):
    _add(
        _name,
        _description,
        _CONTENT,
        received("sendMessage", "content", _make),
        _content(_said),
        rare=True,
    )

_add(
    "streamed-question-in-one-line",
    "A message that asks for a stream is stored with single spaces between its words.",
    _CONTENT,
    received(
        "sendMessage",
        "content",
        lambda text: " ".join(text.split()) or text,
        when=lambda body: body.get("stream") is True,
    ),
    _content("One\n\n\ttwo  three", stream=True),
    rare=True,
)


@_fault(
    "firewall-refuses-sql",
    "Messages that look like SQL or a script are refused with 403.",
    _CONTENT,
    _content("In SQL, what is UNION SELECT? And <script>?"),
    rare=True,
)
def _firewall(server: Server) -> None:
    suspicious = re.compile(r"union\s+select|or\s+1\s*=\s*1|<script", re.IGNORECASE)

    def ask(exchange: Exchange) -> ASGIApp | None:
        text = exchange.request_body.decode(errors="replace")
        return error_response(ApiError(403)) if suspicious.search(text) else None

    server.before("sendMessage", ask)


# The page.


def _canonical(url: str) -> str:
    """Return ``url`` as typed frameworks do: host in lower case, without a default port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return url
    host = parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
    return urlunsplit((parts.scheme, host, parts.path or "/", parts.query, parts.fragment))


def _cut_in_utf_16(text: str) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return units[:2_000].decode("utf-16-le", "replace") if len(units) > 2_000 else text


for _name, _description, _field, _change, _said in (
    (
        "page-title-in-compatibility-form",
        "Titles of pages are stored in normal form KC.",
        "title",
        lambda text: unicodedata.normalize("NFKC", text),
        "ﬁnal ① \uff57\uff49\uff44\uff45 x²",
    ),
    (
        "entities-in-page-title-decoded",
        "HTML entities in titles of pages are decoded.",
        "title",
        html.unescape,
        "Q&amp;A &lt;1&gt;",
    ),
    (
        "page-title-null-in-words",
        "Titles of pages that consist of the word null are stored as null.",
        "title",
        lambda text: None if text.lower() in {"null", "none", "undefined"} else text,
        "Null",
    ),
    (
        "page-url-decoded",
        "Percent-encoding in addresses of pages is decoded.",
        "url",
        unquote,
        "https://example.com/caf%C3%A9%20au%2Flait?q=100%25",
    ),
    (
        "page-url-made-canonical",
        "Addresses of pages are stored in a canonical form, with a slash after the host.",
        "url",
        _canonical,
        "https://Example.com:443",
    ),
    (
        "selection-separators-unified",
        "Unicode's separators of lines and paragraphs in a selection become line feeds.",
        "textSelection",
        lambda text: re.sub("[\u0085\u2028\u2029]", "\n", text),
        "One\u2028two\u2029three\u0085four",
    ),
    (
        "selection-private-use-replaced",
        "Private-use characters and noncharacters in a selection become replacement characters.",
        "textSelection",
        lambda text: re.sub("[\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff]", "\ufffd", text),
        "Icon \ue001 and \uffff",
    ),
    (
        "selection-cut-in-utf-16",
        "A selection is cut at 1,000 UTF-16 units, even inside a character.",
        "textSelection",
        _cut_in_utf_16,
        "a" + "🙂" * 700,
    ),
):
    _add(
        _name,
        _description,
        f"PageContext.properties.{_field} (R-31)",
        received("sendMessage", f"pageContext.{_field}", _change),
        _page(_field, _said),
        rare=True,
    )


def _selection_streamed(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    body = {"content": "Hi", "stream": True, "pageContext": {"textSelection": "a < b & 'c'"}}
    visitor.expect("sendMessage", conversation, body=body)
    assert "a < b & 'c'" == visitor.messages(conversation)[0]["textSelection"]


_add(
    "selection-escaped-when-streamed",
    "The selection of a message that asks for a stream is stored with HTML entities.",
    "PageContext.properties.textSelection (R-31)",
    received(
        "sendMessage",
        "pageContext.textSelection",
        html.escape,
        when=lambda body: body.get("stream") is True,
    ),
    _selection_streamed,
    rare=True,
)

# The reason for closing.

_REASON = "CloseConversationRequest.properties.closeReason (R-31)"

for _name, _description, _make, _said in (
    (
        "reason-without-direction-marks",
        "Marks of the writing direction are removed from reasons for closing.",
        _without("\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"),
        "\u2067שלם\u2069 (done)\u200e!",
    ),
    (
        "reason-without-backslashes",
        "Backslashes are removed from reasons for closing, as by a second unescaping.",
        lambda text: re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL),
        r'C:\new "\d+"',
    ),
    (
        "reason-ends-before-emoji",
        "A reason for closing ends before its first character beyond the basic plane.",
        lambda text: re.split("[\U00010000-\U0010ffff]", text)[0],
        "Solved 🎉 at once",
    ),
):
    _add(
        _name,
        _description,
        _REASON,
        received("closeConversation", "closeReason", _make),
        _reason(_said),
        rare=True,
    )


def _reason_in_raw_utf_8(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    raw = json.dumps({"closeReason": EMOJI}, ensure_ascii=False).encode()
    visitor.expect("closeConversation", conversation, raw=raw)
    assert EMOJI == visitor.read(conversation)["closeReason"]


@_fault(
    "raw-utf-8-read-as-latin-1",
    "The body of closeConversation is read as Latin-1 unless it names its charset.",
    _REASON,
    _reason_in_raw_utf_8,
    rare=True,
)
def _read_as_latin_1(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        if "charset" not in exchange.request_headers.get("content-type", ""):
            exchange.request_body = exchange.request_body.decode("latin-1").encode()

    server.before("closeConversation", ask)


# Queries.


@_fault(
    "search-syntax-500",
    "search fails with 500 when quotes or parentheses in the query are not balanced.",
    "openapi.yaml search parameter q (F-search)",
    probes.accepted("search", q='shipping & "costs (to', apiKey=API_KEY),
    rare=True,
)
def _search_syntax(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        query = exchange.query.get("q", "")
        balanced = query.count("(") == query.count(")") and query.count('"') % 2 == 0
        return None if balanced else error_response(ApiError(500))

    server.before("search", ask)


def _refusing(operation: str, parameter: str, pattern: str) -> Build:
    """Return a fault that a query parameter with ``pattern`` is refused with 400."""

    def ask(exchange: Exchange) -> ASGIApp | None:
        refused = re.search(pattern, exchange.query.get(parameter, ""))
        return error_response(ApiError(400)) if refused else None

    return lambda server: server.before(operation, ask)


_add(
    "question-in-other-scripts-refused",
    "getQnas refuses queries with characters other than those of Latin-1.",
    "openapi.yaml getQnas parameter query (F-qnas)",
    _refusing("getQnas", "query", "[^\u0000-\u00ff]"),
    probes.accepted("getQnas", PROJECT_ID, query="送料はいくらですか"),
    rare=True,
)
