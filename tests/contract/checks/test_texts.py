"""Texts that come back otherwise, or are refused, are found and attributed."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import pytest

from siteassist_contract import tolerance
from siteassist_contract.checks import texts
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.hard_values import (
    ASTRAL,
    HARD_TEXTS,
    OUTER,
    REFUSABLE,
    Packed,
    filled,
    packs,
    packs_for,
)
from siteassist_contract.checks.text_fields import MESSAGE_TEXT, text_fields
from siteassist_contract.description import operations
from siteassist_contract.profiles import FIRST, PROFILES
from siteassist_contract.rules import GENTLE, RULES

if TYPE_CHECKING:
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter

Change = Callable[[str], str]
CONTENT, URL, TITLE, SELECTION, REASON = (
    "content",
    "pageContext/url",
    "pageContext/title",
    "pageContext/textSelection",
    "closeReason",
)


def changed(value: Any, change: Change, names: frozenset[str] | None = None) -> Any:
    """Return JSON with other texts, in all properties or in those with these names."""
    if isinstance(value, dict):
        return {
            name: change(item)
            if isinstance(item, str) and (names is None or name in names)
            else changed(item, change, names)
            for name, item in value.items()
        }
    return [changed(item, change, names) for item in value] if isinstance(value, list) else value


def storing(change: Change, *names: str) -> Fault:
    """Return a fault that stores other texts than those that were sent."""
    chosen = frozenset(names or ("content", "url", "title", "textSelection", "closeReason"))

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        if not isinstance(body, dict) or "saVid" in body:
            return forward(request)
        content = json.dumps(changed(body, change, chosen)).encode("utf-8", "surrogatepass")
        headers = {n: v for n, v in request.headers.items() if n != "content-length"}
        return forward(httpx.Request(request.method, request.url, headers=headers, content=content))

    return fault


def showing(change: Change, path: str, *names: str) -> Fault:
    """Return a fault that shows other texts than those that are stored, in one operation."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        if request.method == "GET" and re.fullmatch(path, request.url.path):
            document = changed(answer.json(), change, frozenset(names))
            return httpx.Response(answer.status_code, json=document)
        return answer

    return fault


def refusing(pattern: str, *, status: int = 400, path: str = "") -> Fault:
    """Return a fault that refuses requests with a text."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        text = request.content.decode("utf-8", "surrogatepass")
        decoded = json.dumps(json.loads(text), ensure_ascii=False) if text else ""
        sent = f"{unquote(request.url.query.decode())} {decoded}"
        if path in request.url.path and re.search(pattern, sent):
            error = {"message": "No", "code": "NO"}
            return httpx.Response(status, json={"error": error})
        return forward(request)

    return fault


def refusing_long(most: int) -> Fault:
    """Return a fault that refuses reasons of more than ``most`` bytes."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        if len(str(body.get("closeReason", "")).encode("utf-8", "replace")) > most:
            return httpx.Response(400, json={"error": {"message": "Too long", "code": "LONG"}})
        return forward(request)

    return fault


def found(
    mock: InProcess, make_context: MakeContext, fault: Fault | None, *, whole: bool = True
) -> CheckContext:
    """Return the context after the check of texts on a mock with a fault."""
    mock.fault = fault
    mock.requests.clear()
    context = make_context(mock, profile=PROFILES["default"])
    if not whole:
        context.size = FIRST
    texts.check_texts(context)
    return context


def shown(context: CheckContext) -> dict[str, str]:
    """Return the violations of a run, with the actual values."""
    return {key: each.actual for key, each in context.findings.violations.items()}


def cut(most: int, encoding: str) -> Change:
    """Return a change that cuts a text to a number of bytes of an encoding."""
    return lambda text: text.encode(encoding, "surrogatepass")[:most].decode(encoding, "ignore")


FAULTS: dict[str, tuple[Fault, str]] = {
    "composes": (
        storing(lambda text: unicodedata.normalize("NFC", text)),
        f"sendMessage texts-kept {CONTENT} decomposed letters",
    ),
    "decomposes-titles": (
        storing(lambda text: unicodedata.normalize("NFD", text), "title"),
        f"sendMessage texts-kept {TITLE} composed letters",
    ),
    "replaces-compatibility-characters": (
        storing(lambda text: unicodedata.normalize("NFKC", text), "title"),
        f"sendMessage texts-kept {TITLE} decomposed letters",
    ),
    "converts-line-ends": (
        storing(lambda text: text.replace("\r\n", "\n"), "content"),
        f"sendMessage texts-kept {CONTENT} carriage returns with line feeds",
    ),
    "ends-lines-at-separators": (
        storing(lambda text: "\n".join(text.splitlines()), "textSelection"),
        f"sendMessage texts-kept {SELECTION} carriage returns with line feeds",
    ),
    "drops-separators": (
        storing(lambda text: text.replace("\u2028", ""), "closeReason"),
        f"closeConversation texts-kept {REASON} Unicode line ends",
    ),
    "merges-spaces": (
        storing(lambda text: re.sub(r" +", " ", text), "title"),
        f"sendMessage texts-kept {TITLE} spaces before line ends",
    ),
    "plain-spaces": (
        storing(lambda text: text.replace("\u00a0", " "), "content"),
        f"sendMessage texts-kept {CONTENT} no-break spaces",
    ),
    "strips-lines": (
        storing(lambda text: "\n".join(line.strip(" ") for line in text.split("\n")), "content"),
        f"sendMessage texts-kept {CONTENT} spaces before line ends",
    ),
    "drops-zero-width-joiners": (
        storing(lambda text: text.replace("\u200d", ""), "closeReason"),
        f"closeConversation texts-kept {REASON} zero-width characters",
    ),
    "drops-bom-within": (
        storing(lambda text: text.replace("\ufeff", ""), "url"),
        f"sendMessage texts-kept {URL} zero-width characters",
    ),
    "drops-directional-marks": (
        storing(lambda text: re.sub("[\u202a-\u202e]", "", text), "title"),
        f"sendMessage texts-kept {TITLE} directional marks",
    ),
    "drops-selectors": (
        storing(lambda text: text.replace("\ufe0f", ""), "content"),
        f"sendMessage texts-kept {CONTENT} variation selectors",
    ),
    "three-byte-characters": (
        storing(lambda text: re.sub("[\U00010000-\U0010ffff].*", "", text, flags=re.DOTALL)),
        f"sendMessage texts-kept {CONTENT} letters with an equivalent",
    ),
    "unescapes-html": (
        storing(unescape, "closeReason"),
        f"closeConversation texts-kept {REASON} HTML entities",
    ),
    "escapes-html-in-lists": (
        showing(escape, ".*/conversations", "closeReason"),
        f"closeConversation texts-kept {REASON} plain punctuation",
    ),
    "removes-tags": (
        storing(lambda text: re.sub("<script.*</script>", "", text), "content"),
        f"sendMessage texts-kept {CONTENT} HTML tags",
    ),
    "decodes-percent": (
        storing(unquote, "url"),
        f"sendMessage texts-kept {URL} percent signs",
    ),
    "reads-backslashes": (
        storing(lambda text: text.replace("\\n", "\n"), "title"),
        f"sendMessage texts-kept {TITLE} backslashes",
    ),
    "fills-placeholders": (
        storing(lambda text: text.replace("{{x}}", ""), "content"),
        f"sendMessage texts-kept {CONTENT} placeholders",
    ),
    "typographic-dashes": (
        storing(lambda text: text.replace("--", "\u2013"), "content"),
        f"sendMessage texts-kept {CONTENT} plain punctuation",
    ),
    "masks-addresses": (
        storing(lambda text: re.sub(r"\S+@\S+", "***", text), "textSelection"),
        f"sendMessage texts-kept {SELECTION} HTML tags",
    ),
    "removes-model-markers": (
        storing(lambda text: text.replace("<|im_end|>", ""), "content"),
        f"sendMessage texts-kept {CONTENT} markers of language models",
    ),
    "ends-at-nul": (
        storing(lambda text: text.partition("\0")[0], "title"),
        f"sendMessage texts-kept {TITLE} NUL",
    ),
    "drops-controls": (
        storing(lambda text: re.sub("[\x01-\x08\x0b]", "", text), "closeReason"),
        f"closeConversation texts-kept {REASON} control characters",
    ),
    "false-words": (
        storing(lambda text: "" if text == "0" else text, "closeReason"),
        f"closeConversation texts-kept {REASON} the text 0",
    ),
    "cuts-in-utf-16": (
        storing(cut(512, "utf-16-le"), "closeReason"),
        f"closeConversation texts-kept {REASON} {texts.BOUND}",
    ),
    "cuts-in-bytes": (
        storing(cut(10_000, "utf-8"), "content"),
        f"sendMessage texts-kept {CONTENT} {texts.BOUND}",
    ),
    "loses-half-of-a-pair": (
        storing(lambda text: text.replace(f"\\{ASTRAL}", "\\?"), "content"),
        f"sendMessage texts-kept {CONTENT} {texts.BOUND}",
    ),
    "shows-otherwise-in-the-conversation": (
        showing(str.lower, ".*/conversations/[^/]*", "text", "pageTitle"),
        f"sendMessage texts-kept {CONTENT} composed letters",
    ),
    "refuses-quotes-in-searches": (
        refusing("DROP", path="search"),
        "search texts-accepted q SQL",
    ),
    "fails-at-percent": (
        refusing("%zz", status=500, path="qnas"),
        "getQnas texts-accepted query percent signs",
    ),
    "refuses-long-bytes": (
        refusing_long(256),
        f"closeConversation texts-accepted {REASON} {texts.BOUND}",
    ),
    "refuses-emoji-in-completions": (
        refusing("🇨🇭", status=422, path="completions"),
        "createChatCompletion texts-accepted messages/0/content emoji of several characters",
    ),
    "refuses-markup-in-titles": (
        refusing(r'"title": "(?:[^"\\]|\\.)*<br>', path="messages"),
        f"sendMessage texts-accepted {TITLE} HTML tags",
    ),
}


EARLY = {
    "composes",
    "converts-line-ends",
    "merges-spaces",
    "plain-spaces",
    "strips-lines",
    "ends-lines-at-separators",
    "decomposes-titles",
    "replaces-compatibility-characters",
    "drops-bom-within",
    "drops-directional-marks",
    "drops-selectors",
    "three-byte-characters",
    "removes-tags",
    "decodes-percent",
    "reads-backslashes",
    "fills-placeholders",
    "typographic-dashes",
    "masks-addresses",
    "removes-model-markers",
    "shows-otherwise-in-the-conversation",
    "refuses-emoji-in-completions",
    "refuses-markup-in-titles",
}
"""The faults that the first pass of a run finds."""
DISAGREEING = {"escapes-html-in-lists", "shows-otherwise-in-the-conversation"}
"""The faults of one of several places that show a text."""


@pytest.mark.sweep(14)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str, shared: InProcess, make_context: MakeContext) -> None:
    """Each fault is attributed to the field and to the class of the text."""
    fault, expected = FAULTS[name]
    violations = shown(found(shared, make_context, fault, whole=name not in EARLY))
    assert expected in violations
    # Two places that show a text differently also disagree.
    others = {"no-server-error", "stored-answer", *(["agreement"] if name in DISAGREEING else [])}
    assert {"texts-accepted", "texts-kept"} >= {key.split()[1] for key in violations} - others


@pytest.mark.parametrize("pattern", [r"\\u0000", "[\ud800-\udfff]", "[\ufdd0-\ufdef]"])
def test_device_that_may_be_refused_must_not_fail(
    pattern: str, shared: InProcess, make_context: MakeContext
) -> None:
    """A server may refuse the characters of a device's name, but must not fail at them."""
    refused = found(shared, make_context, refusing(pattern, path="/init"))
    assert {} == shown(refused)
    failed = found(shared, make_context, refusing(pattern, status=500, path="/init"))
    assert {"init no-server-error"} == set(shown(failed))


def trimming(text: str) -> str:
    """Remove white space around a text."""
    return text.strip()


@pytest.mark.parametrize("whole", [False, True])
def test_correct_server_keeps_the_rules(
    whole: bool, shared: InProcess, make_context: MakeContext
) -> None:
    """There is no violation, and each rule is tested on each of its operations."""
    context = found(shared, make_context, None, whole=whole)
    assert {} == shown(context)
    assert {} == context.findings.notes
    for rule in ("texts-accepted", "texts-kept"):
        assert set(RULES[rule].operations) == {
            name for tested, name in context.findings.tested if tested == rule
        }
    sent = [r for r in shared.requests if r.url.path.endswith(("/messages", "/completions"))]
    answers = [request for request in sent if request.method == "POST"]
    assert len(answers) <= (20 if whole else 3)


def strings(value: Any) -> Iterator[str]:
    """Yield all texts in JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def refusing_characters(is_refused: Callable[[str], bool]) -> Fault:
    """Return a server that refuses texts with some characters."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        sent = [*strings(body if isinstance(body, dict) else {}), *request.url.params.values()]
        if any(is_refused(character) for text in sent for character in text):
            error = {"message": "No", "code": "NO"}
            return httpx.Response(422, json={"error": error})
        return forward(request)

    return fault


LEGAL: dict[str, Fault] = {
    "trims": storing(trimming),
    "trims-at-the-end": storing(lambda text: text.rstrip() or text, "closeReason"),
    "refuses-controls": refusing_characters(
        lambda each: unicodedata.category(each) == "Cc" and each not in "\t\n\r"
    ),
    "refuses-noncharacters": refusing_characters(lambda each: ord(each) & 0xFFFE == 0xFFFE),
    "refuses-halves": refusing_characters(lambda each: unicodedata.category(each) == "Cs"),
    "replaces-halves": storing(lambda text: re.sub("[\ud800-\udfff]", "\ufffd", text)),
}
TRIMMING = {"trims", "trims-at-the-end"}


@pytest.mark.parametrize("name", LEGAL)
def test_tolerated_server_keeps_the_rules(
    name: str, shared: InProcess, make_context: MakeContext
) -> None:
    """What O-20 leaves open is no violation; trimmed texts make a note."""
    context = found(shared, make_context, LEGAL[name])
    assert {} == shown(context)
    assert (name in TRIMMING) == bool(context.findings.notes)


def test_live_profile_sends_no_hard_texts(shared: InProcess, make_context: MakeContext) -> None:
    """A gateway of a server in production may take the texts for an attack."""
    shared.fault = None
    shared.requests.clear()
    context = make_context(shared, profile=PROFILES["live"])
    texts.check_texts(context)
    assert [] == shared.requests
    assert {GENTLE} == set(context.findings.prevented.values())


def test_without_a_key_only_conversations_are_tested(
    shared: InProcess, make_context: MakeContext
) -> None:
    """A token alone is enough for the texts that a visitor writes."""
    shared.fault = None
    body = {"apiKey": "sa_pk_1234567890abcdef", "saVid": "texts"}
    started = shared.forward(httpx.Request("POST", "http://mock.test/v2/identity/init", json=body))
    context = make_context(shared, api_key=None, token=started.json()["sessionToken"])
    texts.check_texts(context)
    assert {} == shown(context)
    operations_tested = {name for rule, name in context.findings.tested if "texts" in rule}
    assert {"sendMessage", "closeConversation", "createChatCompletion"} == operations_tested


def test_circumstances_prove_nothing(shared: InProcess, make_context: MakeContext) -> None:
    """A server without a plan for messages is not judged by its refusals."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/messages"):
            error = {"message": "Pay", "code": "PAYMENT_REQUIRED"}
            return httpx.Response(402, json={"error": error})
        return forward(request)

    context = found(shared, make_context, fault, whole=False)
    assert {} == shown(context)
    assert ("texts-kept", "sendMessage") not in context.findings.tested


def test_fields_follow_from_the_description() -> None:
    """The fields, their bounds and the properties that show them are derived."""
    fields = {
        (name, field.name): (field.shown, field.most)
        for name, operation in operations().items()
        for field in text_fields(operation)
    }
    assert {
        ("sendMessage", CONTENT): (MESSAGE_TEXT, 10_000),
        ("sendMessage", URL): ("pageUrl", None),
        ("sendMessage", TITLE): ("pageTitle", None),
        ("sendMessage", "pageContext/content"): (None, None),
        ("sendMessage", SELECTION): ("textSelection", None),
        ("closeConversation", REASON): ("closeReason", 256),
        ("createChatCompletion", "messages/0/content"): (None, None),
        ("search", "q"): (None, 500),
        ("getQnas", "query"): (None, 300),
    } == fields


def test_catalogue_is_sound() -> None:
    """Each text has a reason, and only the texts that a server may refuse are tolerated."""
    names = [text.name for text in (*HARD_TEXTS, *REFUSABLE)]
    assert len(set(names)) == len(names)
    assert all(text.reason for text in (*HARD_TEXTS, *REFUSABLE, OUTER))
    assert [] == [text.name for text in HARD_TEXTS if tolerance.may_be_refused(text.value)]
    assert [] == [text.name for text in REFUSABLE if not tolerance.may_be_refused(text.value)]
    assert [] == [text.name for text in HARD_TEXTS if re.search(r"\(\d+\)", text.value)]


@pytest.mark.parametrize("most", [None, 256, 300])
def test_packs_contain_each_text_once(most: int | None) -> None:
    """No pack is too long, and no text is lost."""
    for in_query in (False, True):
        packed = packs_for(most, in_query=in_query)
        assert list(HARD_TEXTS) == [text for pack in packed for text in pack.texts]
        assert most is None or max(len(pack.value) for pack in packed) <= most
    assert [] == packs(HARD_TEXTS, 5)


def changes(pack: Packed, text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the names of the texts that changed, and what they became."""
    for changed_text, became in pack.changed(text):
        yield changed_text.name, became


def test_changed_texts_are_named() -> None:
    """A change is attributed to its text, whether it is another one, lost or cut."""
    pack = Packed(HARD_TEXTS[9:12])
    assert [] == list(changes(pack, pack.value))
    first, second, third = (text.name for text in pack.texts)
    assert [(second, "a\nb\n\nc")] == list(changes(pack, pack.value.replace("\r\n", "\n")))
    value = pack.value
    assert [(third, "a")] == list(changes(pack, value[: value.index("(3)") + 4]))
    assert [(first, "a"), (second, None), (third, None)] == list(changes(pack, "(1)a"))
    assert [(first, None), (second, None), (third, None)] == list(changes(pack, ""))


def test_bounds_have_more_units_and_bytes_than_characters() -> None:
    """A limit in UTF-16 units cuts one of the two texts in a character."""
    for first in (True, False):
        text = filled(256, astral_first=first)
        assert 256 == len(text)
        assert 384 == len(text.encode("utf-16-le")) // 2
        assert 640 == len(text.encode())
