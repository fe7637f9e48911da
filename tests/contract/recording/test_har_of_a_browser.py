"""The traffic of a page in Chromium, as the browser records it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from siteassist_contract.subcommands import check
from siteassist_mock.testing import mock_server
from tests.browser import new_page
from tests.values import API_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.one_interpreter

WIDGET = """async ([base, apiKey]) => {
  const call = async (method, path, body, token) => {
    const headers = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    const content = body === undefined ? undefined : JSON.stringify(body);
    // The recording has whole milliseconds: requests within one of them could have overlapped.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const answer = await fetch(base + path, { method, headers, body: content });
    return answer.text();
  };
  const init = async () =>
    JSON.parse(await call("POST", "/identity/init", { apiKey, saVid: "a-browser" })).sessionToken;
  const token = await init();
  const { id } = JSON.parse(await call("POST", "/conversations", undefined, token));
  const path = `/conversations/${id}`;
  const message = { content: "Wie läuft die Rückgabe? 👋", stream: true, pageContext: null };
  await call("POST", `${path}/messages`, message, token);
  await call("GET", `${path}/messages`, undefined, token);
  await call("GET", "/conversations?orderBy=createdAt", undefined, await init());
  await call("POST", `${path}/close`, undefined, token);
  return call("GET", path, undefined, token);
}"""


def test_traffic_of_a_page_is_kept(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The streamed answer is compared with the stored one, and the session with its device."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "traffic.har"
    options: dict[str, Any] = {"record_har_path": path, "record_har_content": "embed"}
    with mock_server() as mock:
        with new_page(browser, **options) as page:
            page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
            # A page of the same server whose content policy allows requests.
            page.goto(f"{mock.url}/openapi")
            assert '"closed"' in page.evaluate(WIDGET, [mock.url, API_KEY])
        result = CliRunner().invoke(check.main, [str(path)])
    assert 0 == result.exit_code, result.stdout
    assert "The server keeps the contract (8 requests)." in result.stdout
    assert "overlap" not in result.stdout
    for rule in ("stored-answer", "stream-order", "device-status", "closes"):
        assert f" {rule}," not in result.stdout.splitlines()[-1]
