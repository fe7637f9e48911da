"""Tests for the page at ``/``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from tests.mock.conftest import Client, MakeClient


def test_the_page_has_the_keys_and_working_links(client: Client) -> None:
    """Each link leads to a page, and the built-in keys are shown."""
    root = client.below("")
    reply = root.get("/")
    assert (200, "text/html; charset=utf-8") == (reply.status, reply.headers["content-type"])
    text = reply.body.decode()
    assert API_KEY in text
    assert PRIVATE_KEY in text
    links = re.findall('href="(.*?)"', text)
    assert ["/docs", "/_mock/ui", "/v2/openapi"] == links
    assert {200} == {root.get(link).status for link in links}
    assert 405 == root.post("/").status


@pytest.mark.parametrize("key", ["sk_secret_1234", "<b>"])
def test_the_page_has_no_secret_and_no_dead_link(make_client: MakeClient, key: str) -> None:
    """Another private key is not shown, markup in a key has no effect, and pages may be off."""
    text = make_client(private_key=key, api_key=f"pk{key}", control=False).below("").get("/")
    shown = text.body.decode()
    assert "_mock" not in shown
    assert "<dd><code>as given</code>" in shown
    assert f"pk{key}".replace("<", "&lt;").replace(">", "&gt;") in shown
    assert PRIVATE_KEY not in shown
