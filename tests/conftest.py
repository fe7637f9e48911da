"""A check of the description before all tests, and a browser for tests of pages."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from websockets.sync.client import connect

from siteassist_spec import SpecError, load_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

CHROMIUM = shutil.which("chromium")
SECONDS = 20
COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage measures the processes that a measured one starts."""


def pytest_configure() -> None:
    """Prepare all tests; report an error in ``openapi.yaml`` in one line, before they fail."""
    # A shell starts background jobs with SIGINT ignored. The processes that tests
    # start would inherit this, and would not react to a Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # The time that an example takes depends on what else the machine does.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    try:
        load_spec()
    except SpecError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_xdist_setupnodes() -> None:
    """Do not let coverage start by itself in the processes of xdist."""
    os.environ.pop(COVERAGE, None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Let a process of xdist have one measurement, instead of two that pytest-cov starts.

    Otherwise `no_cover` would pause one of them and resume the other.
    """
    plugin = session.config.pluginmanager.get_plugin("_cov")
    controller = getattr(plugin, "cov_controller", None)
    if hasattr(session.config, "workerinput") and controller is not None:
        controller.cov.stop()


_configurations: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Exclude the processes that tests start from coverage, which slows them down twofold."""
    # Coverage sets the variable whenever it starts, also after a test with `no_cover`.
    if (configuration := os.environ.pop(COVERAGE, None)) is not None:
        _configurations[:] = [configuration]


@pytest.fixture
def measured_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Include the processes that a test starts in coverage, if it measures at all."""
    for configuration in _configurations:
        monkeypatch.setenv(COVERAGE, configuration)


class Page:
    """A tab of a browser.

    ``problems`` has the errors and warnings of the page, and ``requested`` the addresses
    that it requested; both are up to date as of the last call.
    """

    def __init__(self, socket: ClientConnection, session: str) -> None:
        """Control the tab of the session with this id."""
        self._socket = socket
        self._session = session
        self._count = 0
        self.problems: list[Any] = []
        self.requested: set[str] = set()

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the debugging protocol, and record events that arrive meanwhile."""
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
                self._record(answer.get("method"), answer.get("params"))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def _record(self, event: str | None, params: Any) -> None:
        if event == "Network.requestWillBeSent":
            self.requested.add(params["request"]["url"])
        elif event in {"Runtime.exceptionThrown", "Log.entryAdded"} or (
            event == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning"}
        ):
            self.problems.append(params)

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression; a promise is awaited."""
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
        """Return as soon as a visible element that matches has exactly this text."""
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
        """Enter text into the focused element."""
        self.call("Input.insertText", text=text)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size and the colour scheme of the page."""
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
    """A browser that is controlled over its debugging protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        """Control the browser at the other end of ``socket``."""
        self._socket = socket

    @contextmanager
    def opened(self, url: str) -> Iterator[Page]:
        """Open ``url`` in a new tab, and fail if the page has had a problem at the end."""
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
    """Start a browser with a temporary profile and without access to other machines."""
    if CHROMIUM is None:
        pytest.skip("needs `chromium`")
    command = [
        CHROMIUM,
        "--headless=new",
        # The sandbox needs privileges that containers lack, and the pages are trusted.
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
                # No test needs the browser any more.
                process.kill()
