"""Every expression over a client's bytes takes a time that grows with their number only."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.content.assistant import Assistant, title
from siteassist_mock.content.search_index import BUILT_IN
from siteassist_mock.faults.plan import parse_planned
from siteassist_mock.http.access_log import loggable
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.json_parser import parse_json
from siteassist_mock.http.parameters import coerce, parse_query
from siteassist_mock.http.preferences import parse_preferences
from siteassist_spec import load_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mock.conftest import Client

SIZE = 48_000
UNITS = (
    "\\,", '"\\,', '\\",', '"', '",', "\\", " ", "\t", ",", "=", "a", "a ", "a=", "a=\\", 'a="',
    "a;", ";", "0", "1e", "-", ".", "%", "%f", "&", "a&", "=&", "+", "[", "{", '{"a":',
    "\n", "é", "/", "eyJ", "eyJ.", "a.b", "\u2028", "\0",
)  # fmt: skip
FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "preferences": lambda text: parse_preferences([text]),
    "one preference": lambda text: parse_preferences([f"a{text}!"]),
    "fault": parse_planned,
    "query": lambda text: parse_query(text.encode()),
    "number": lambda text: coerce(text, {"number", "null", "boolean"}),
    "json": lambda text: parse_json(text.encode()),
    "json text": lambda text: parse_json(f'"{text}'.encode()),
    "log": loggable,
    "title": title,
    "answer": Assistant().answer,
    "qnas": BUILT_IN.find_qnas,
    "pages": lambda text: BUILT_IN.find_pages(text, 10),
}


def cost(function: Callable[[str], Any], text: str) -> float:
    """Return the least processor time of three calls, in seconds."""
    times = []
    for _ in range(3):
        began = time.process_time()
        with suppress(ValueError, ApiError):
            function(text)
        times.append(time.process_time() - began)
    return min(times)


def in_proportion(
    function: Callable[[str], Any],
    unit: str,
    *,
    begin: str = "",
    size: int = SIZE,
    clock: float = 0.05,
) -> bool:
    """Tell whether four times the text costs at most eight times as much, beside the clock.

    Whatever else the machine does can double the time of a few calls, so up to ten comparisons
    are made with the least times so far. A quadratic expression takes sixteen times as long.
    """
    texts = [begin + unit * (length // len(unit)) for length in (size // 4, size)]
    # The short text costs little, so it is measured well before it decides.
    least = [min(cost(function, texts[0]) for _ in range(5)), float("inf")]
    for _ in range(10):
        least = [min(cost(function, text), known) for text, known in zip(texts, least, strict=True)]
        if least[1] <= 8 * least[0] + clock:
            return True
    return False


def test_a_quadratic_expression_is_not_in_proportion() -> None:
    """A search that begins anew at each sign fails all comparisons, as does a cubic one."""
    search = re.compile("a*b").search
    assert not in_proportion(search, "a", size=8_000, clock=0.001)
    assert not in_proportion(re.compile("a*a*b").search, "a", size=600, clock=0.001)


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_hostile_text_costs_in_proportion_to_its_length(name: str) -> None:
    """Four times the bytes cost at most eight times as much, for every repeated unit."""
    function = FUNCTIONS[name]
    for unit in UNITS:
        for begin in ("", '"', "a=") if "preference" in name else ("",):
            # Below ten milliseconds the clock decides. A quadratic expression needs seconds.
            assert in_proportion(function, unit, begin=begin, clock=0.01), unit


@pytest.mark.parametrize("header", ["Prefer", "Mock-Fault"])
def test_a_hostile_header_does_not_stop_the_server(client: Client, header: str) -> None:
    """A header of the greatest size costs in proportion to its length."""

    def send(text: str) -> Any:
        return client.get("/identity/me", headers={header: text})

    for unit in UNITS:
        if unit.isprintable() and unit.isascii():
            assert in_proportion(send, unit, begin='"'), unit


def test_a_pattern_of_the_description_is_linear(client: Client) -> None:
    """A hostile value of every parameter and body costs in proportion to its length."""
    queries = [
        (f"{path.replace('{projectId}', 'x')}?{parameter['name']}=")
        for path, item in load_spec()["paths"].items()
        for parameter in item.get("get", {}).get("parameters", ())
        if parameter.get("in") == "query" and "{" not in path
    ]
    assert queries
    for target in queries:
        assert in_proportion(client.get, "-a@", begin=target), target
