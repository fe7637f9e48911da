"""No spelling of a credential, and no place for one, stays readable in a recording."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from siteassist_mock.http.redaction import Redactor
from siteassist_mock.http.secret_names import is_secret_name
from siteassist_mock.proxy.har_file import Traffic, entry
from siteassist_mock.proxy.masks import Masks
from siteassist_spec import Document, read_operations
from tests.values import API_KEY

DOCUMENT = Document.load()
OPERATIONS = read_operations(DOCUMENT)
URL = "http://upstream.test/v2/search"
SECRET = 'se cret/"1%5F\\é🎉_abc'
TOKEN = "st-0123456789"
ENCODED = "".join(f"%{byte:02X}" for byte in API_KEY.encode())
ESCAPED = "".join(f"\\u{ord(character):04x}" for character in API_KEY)


def recorded(**changes: Any) -> dict[str, Any]:
    """Return the entry of a request and its answer."""
    given: dict[str, Any] = {"method": "GET", "url": URL, "headers": [], "body": b"", **changes}
    return entry(Traffic(started=datetime.now(UTC), **given), Masks(OPERATIONS))


def credentials(schema: Any) -> dict[str, bool]:
    """Return the members and parameters in a description, and which are credentials."""
    found: dict[str, bool] = {}
    if isinstance(schema, dict):
        members = schema.get("properties")
        named = dict(members) if isinstance(members, dict) else {}
        if "in" in schema and isinstance(schema.get("name"), str):
            named[schema["name"]] = schema.get("schema", {})
        for name, each in named.items():
            found[name] = found.get(name, False) or "x-credential" in each
    inner = schema.values() if isinstance(schema, dict) else schema
    for each in inner if isinstance(schema, dict | list) else ():
        for name, secret in credentials(each).items():
            found[name] = found.get(name, False) or secret
    return found


@pytest.mark.parametrize(
    "spelling",
    [
        API_KEY,
        API_KEY.replace("_", "%5F"),
        API_KEY.replace("_", "%5f", 1),
        ENCODED,
        ENCODED.replace("%", "%25"),
    ],
)
@pytest.mark.parametrize(
    "place", ["/search?q=x&apiKey={}", "/{}/search", "/a?next=%2Fx%3FapiKey%3D{}", "/a#apiKey={}"]
)
def test_each_spelling_in_an_address_has_the_same_mask(spelling: str, place: str) -> None:
    """In the URL, in its decoded query, and in the headers that have an address."""
    url = "http://upstream.test/v2" + place.format(spelling)
    headers = [("Referer", url), ("Authorization", f"Bearer {API_KEY}")]
    found = recorded(url=url, headers=headers, answer_headers=[("Location", url)])
    text = json.dumps(found)
    assert API_KEY not in text
    assert spelling not in text
    places = [found["request"]["url"], *(each["value"] for each in found["request"]["headers"])]
    places.append(found["response"]["headers"][0]["value"])
    kinds = ("publishableKey", "sessionToken")
    assert all(any(f"masked-{kind}-1" in each for kind in kinds) for each in places), places
    assert "masked-publishableKey-2" not in text


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        json.dumps(json.dumps(SECRET)),
        json.dumps(quote(SECRET, safe="")),
        json.dumps(quote_plus(SECRET)),
    ],
)
def test_each_spelling_in_a_body_has_the_same_mask(written: str) -> None:
    """JSON has several, and a string may contain JSON or a part of an address."""
    text = f'{{"apiKey": {json.dumps(SECRET)}, "other": {written}}}'
    found = json.loads(recorded(body=text.encode())["request"]["postData"]["text"])
    assert "masked-publishableKey-1" == found["apiKey"]
    assert "masked-publishableKey-1" == found["other"].strip('"')


@pytest.mark.parametrize(
    "name",
    [
        *("access_token", "token", "api_key", "apikey", "APIKEY", "sessionToken", "authorization"),
        *("X-Session-Token", "X-Forwarded-Access-Token", "X-Amz-Security-Token", "X-Csrf-Token"),
        *("X-Device-Id", "X-Api-Key", "client_secret", "refreshToken", "password", "PHPSESSID"),
    ],
)
def test_what_is_named_like_a_credential_is_masked_everywhere(name: str) -> None:
    """The access log has the same rule as the recording."""
    for place in ("?", "?a=b&", "#"):
        found = recorded(
            url=f"{URL}?{name}={TOKEN}",
            headers=[(name, TOKEN), ("Referer", f"http://a.test/{place}{name}={TOKEN}")],
            body=f"{name}={TOKEN}".encode(),
            answer_headers=[(name, f"{TOKEN}2"), ("Location", f"/{place}{name}={TOKEN}3")],
            content=json.dumps({name: [f"{TOKEN}4", None, f"{TOKEN}5"]}).encode(),
        )
        assert TOKEN not in json.dumps(found)
        assert [name] == [each["name"] for each in found["request"]["queryString"]]
    assert f"{name}=***".encode() == Redactor(()).query(f"{name}={TOKEN}".encode())


def test_header_of_an_answer_is_masked_like_that_of_a_request() -> None:
    """The scheme stays; so does what is no credential."""
    open_headers = [
        ("WWW-Authenticate", "Bearer"),
        ("Content-Type", "application/json"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Allow-Headers", "Authorization, X-Api-Key"),
        ("X-RateLimit-Remaining-Tokens", "1234567890"),
    ]
    given = [*open_headers, ("Authorization", f"Bearer {TOKEN}"), ("Set-Cookie", f"sid={TOKEN}")]
    found = recorded(headers=given, answer_headers=given, content=f"<p>{TOKEN}</p>".encode())
    for side in ("request", "response"):
        shown = [(each["name"], each["value"]) for each in found[side]["headers"]]
        assert [
            *open_headers,
            ("Authorization", "Bearer masked-sessionToken-1"),
            ("Set-Cookie", "masked"),
        ] == shown
    assert "<p>masked-sessionToken-1</p>" == found["response"]["content"]["text"]


def test_parameters_of_other_forms_are_masked() -> None:
    """JSON in a query, an address in a query or in a path."""
    nested = quote(json.dumps({"apiKey": "short"}), safe="")
    inner = quote("http://a.test/?token=short", safe="")
    deep = json.dumps({"sent": json.dumps({"apiKey": f"{TOKEN}6"})})
    found = recorded(
        url=f"{URL}/%3Ftoken%3D{TOKEN}?filter={nested}&next={inner};jsessionid=short",
        headers=[("Link", f"<http://a.test/?a=b&token={TOKEN}>")],
        body=deep.encode(),
    )
    assert "short" not in json.dumps(found)
    assert TOKEN not in json.dumps(found)


def test_user_of_an_address_is_masked() -> None:
    """The host stays."""
    found = recorded(answer_headers=[("Location", "https://me:pass@host.test/a")])
    assert "https://masked@host.test/a" == found["response"]["headers"][0]["value"]


@pytest.mark.parametrize(
    ("header", "value"),
    [("Content-Type", "multipart/form-data; boundary=x"), ("Content-Encoding", "gzip")],
)
def test_body_in_which_nothing_can_be_masked_is_left_out(header: str, value: str) -> None:
    """Its size stays, so that a reader knows that there was one."""
    found = recorded(headers=[(header, value)], body=f"apiKey={TOKEN}".encode())["request"]
    assert ("", 20) == (found["postData"]["text"], found["bodySize"])
    cut = recorded(answer_headers=[(header, value)], content=TOKEN.encode(), error="cut off")
    assert "" == cut["response"]["content"]["text"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ('{"saVid":9876543210}', '{"saVid":1}'),
        ('{"saVid" : 12, "x": 12}', '{"saVid" : 1, "x": 12}'),
        ('{"saVid":[null, "b"], "x": ["b"]}', '{"saVid":[null, "masked-deviceId-1"], "x": ["b"]}'),
        ('{"saVid":98765432100,"a":[98765432100]}', '{"saVid":1,"a":[98765432100]}'),
        ('{"session":1234567890}', '{"session":0}'),
        ('{"saVid":{"a":1},"b":2}', '{"saVid":{"a":1},"b":2}'),
        ('{"saVid":null,"apiKey":"', '{"saVid":null,"apiKey":"'),
        ('{"sa\\u0056id":"dev"}', '{"sa\\u0056id":"masked-deviceId-1"}'),
    ],
)  # fmt: skip
def test_values_of_other_types_keep_their_type(given: str, shown: str) -> None:
    """A number becomes the number of its mask, so that the recording is judged as before."""
    assert shown == recorded(body=given.encode())["request"]["postData"]["text"]


def test_members_of_the_description_stay_readable() -> None:
    """The rule of words meets none that is no credential."""
    described = credentials(DOCUMENT.raw)
    assert {"apiKey", "saVid", "sessionToken"} <= {name for name in described if described[name]}
    assert [] == [name for name in described if not described[name] and is_secret_name(name)]


@pytest.mark.parametrize(
    "body",
    [
        '{"key": "VALUE", "q": "delivery"}',
        '{"session": "VALUE", "createdAt": "2026-11-01T10:00:00Z"}',
    ],
)
@pytest.mark.parametrize(
    "value", ["delivery", "2026-11-01", "123e4567-e89b-12d3-a456-426614174000"]
)
def test_what_is_only_named_like_a_credential_is_masked_beside_its_name(
    body: str, value: str
) -> None:
    """The key of a cache may be an ordinary value, which occurs elsewhere."""
    other = body.replace("delivery", value)
    found = recorded(url=f"{URL}/{value}", body=other.replace("VALUE", value).encode())
    assert other.replace("VALUE", "masked") == found["request"]["postData"]["text"]
    assert f"{URL}/{value}" == found["request"]["url"]


@pytest.mark.parametrize(
    "text",
    [
        "content-disposition: name=" + "a" * 100_000 + "\nx",
        "content-disposition:" + " name=a" * 50_000 + "\nx",
        '{"token":"' + "\\" * 50_000 + 'xabcdefgh","q":"' + "\\" * 50_000 + 'y xabcdefgh"}',
        '{"apiKey":"' + "\\" * 50_000 + 'xabcdefgh","q":"' + "\\" * 50_000 + 'y xabcdefgh"}',
        '"' * 100_000,
        '"a":' * 50_000,
        '"token":["' * 50_000,
        "?token=" * 50_000,
        "%" * 100_000,
        "://" * 50_000,
        " " * 100_000 + "=",
    ],
)
def test_hostile_text_is_recorded(text: str) -> None:
    """Each character is looked at a limited number of times; otherwise this would never end."""
    recorded(url=f"{URL}?q=x", body=text.encode(), content=text.encode())


def test_deeply_nested_parameters_are_recorded() -> None:
    """A request cannot exhaust the stack."""
    text = "?a=" * 5000
    assert text == recorded(body=text.encode())["request"]["postData"]["text"]
