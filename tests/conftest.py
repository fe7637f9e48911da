"""What tests share: a description that can be read, and a browser."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.sync.client import connect

from siteassist_spec import SpecError, load_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

CHROMIUM = shutil.which("chromium")
SECONDS = 20


def pytest_configure() -> None:
    """Say in one line what is wrong with ``openapi.yaml``, before hundreds of tests do."""
    # A shell starts a job in the background with SIGINT ignored, and each process
    # that a test starts would inherit that and never see its Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        load_spec()
    except SpecError as error:
        raise pytest.UsageError(str(error)) from None


class Page:
    """One tab of a browser.

    ``problems`` is what it complained of and ``requested`` the addresses that it
    asked for, as far as they were known when it was last called.
    """

    def __init__(self, socket: ClientConnection, session: str) -> None:
        """Speak to the tab with the id ``session``."""
        self._socket = socket
        self._session = session
        self._count = 0
        self.problems: list[Any] = []
        self.requested: set[str] = set()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the debugging protocol; what the page complains of is kept."""
        self._count += 1
        request = {
            "id": self._count,
            "method": method,
            "params": params,
            "sessionId": self._session,
        }
        self._socket.send(json.dumps(request))
        while True:
            answer = json.loads(self._socket.recv(timeout=SECONDS))
            if answer.get("sessionId") == self._session:
                self._note(answer.get("method"), answer.get("params"))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def _note(self, event: str | None, params: Any) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.add(params["request"]["url"])
        elif event in {"Runtime.exceptionThrown", "Log.entryAdded"} or (
            event == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}
        ):
            self.problems.append(params)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, and of a promise what it becomes."""
        result = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition: str) -> None:
        """Return as soon as ``condition`` holds in the page."""
        look = f"const look = () => ({condition}) ? done() : requestAnimationFrame(look);"
        self.evaluate(f"new Promise((done) => {{ {look} look(); }})")

    def wait_for_text(self, selector: str, text: str) -> None:
        """Return as soon as some visible element that matches has exactly this text."""
        self.wait(
            f"[...document.querySelectorAll({json.dumps(selector)})].some((one) =>"
            f" one.checkVisibility() && one.textContent === {json.dumps(text)})"
        )

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element."""
        x, y = self.evaluate(
            f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"Enter": "\r"}.get(key, "")
        code = {"Enter": 13, "Tab": 9, "ArrowDown": 40, "Escape": 27}[key]
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                text=text if kind == "keyDown" else "",
                windowsVirtualKeyCode=code,
            )

    def type(self, text: str) -> None:
        """Write into the element that has the focus."""
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page the size and the colours of a device."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])


class Browser:
    """A browser that is driven over its debugging protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        """Speak to the browser at the other end."""
        self._socket = socket

    @contextmanager
    def opened(self, url: str) -> Iterator[Page]:
        """Open ``url`` in a new tab and yield that, then close it; it must not complain."""
        context = self._call("Target.createBrowserContext")["browserContextId"]
        blank = {"url": "about:blank", "browserContextId": context}
        target = self._call("Target.createTarget", **blank)["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self._socket, attached["sessionId"])
        for domain in ("Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.resize(1280, 800)
        page.call("Page.navigate", url=url)
        try:
            yield page
            assert page.problems == []
        finally:
            self._call("Target.disposeBrowserContext", browserContextId=context)

    def _call(self, method: str, **params: Any) -> Any:
        self._socket.send(json.dumps({"id": 0, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(timeout=SECONDS))).get("id") != 0:
            pass
        return answer["result"]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser of our own, with a profile of its own and no way to other machines."""
    if CHROMIUM is None:
        pytest.skip("there is no `chromium` on this machine")
    command = [
        CHROMIUM,
        "--headless=new",
        # The sandbox needs rights that containers do not give; the page is ours.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-port=0",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
        "about:blank",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = ""
            for line in process.stderr:
                _, _, address = line.strip().partition("DevTools listening on ")
                if address:
                    break
            assert address, "the browser did not start"
            with connect(address, max_size=None, proxy=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            process.stderr.close()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                # Nothing of it is needed any more, and nobody should wait for it.
                process.kill()
