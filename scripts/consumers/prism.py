"""Try values on Prism: requests on its mock, and responses on its proxy.

    python -m scripts.consumers.prism PRISM FORM CASES {accepts,refuses}
    python -m scripts.consumers.prism PRISM FORM NEWMAN COLLECTION URL

The second form runs the collection on the server at URL through the proxy, which refuses every
request and every response that it takes for invalid.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from scripts.contract import MOCK_KEY

LIMIT = 120.0
"""The time limit of a start, in seconds."""
TOKEN = {"Authorization": "Bearer x"}
NUMBER = "X-Case"
"""The header that selects the response of the upstream server."""


@contextmanager
def running_prism(prism: str | Path, verb: str, form: Path, *options: str) -> Iterator[str]:
    """Run Prism on a free port for the duration of the block, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [str(prism), verb, str(form), *options, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            end = time.monotonic() + LIMIT
            while True:
                try:
                    httpx.get(url)
                    break
                except httpx.TransportError:
                    if server.poll() is not None or time.monotonic() > end:
                        raise
                    time.sleep(0.1)
            yield url
        finally:
            server.terminate()


@contextmanager
def serving_values(cases: list[Any]) -> Iterator[str]:
    """Serve the value of the case whose number is in the request, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            case = cases[int(self.headers[NUMBER])]
            body = text_of(case).encode()
            self.send_response(case["status"])
            self.send_header("Content-Type", case["media"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 (http.server's)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (http.server's)
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def text_of(case: Any) -> str:
    """Return the body of a case: a stream is a text already."""
    value = case["value"]
    return value if isinstance(value, str) else json.dumps(value)


def received(answer: httpx.Response) -> Any:
    """Return the value of a response, which Prism may write in another layout."""
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return answer.json() if is_json else answer.text


def try_values(prism: str, form: Path, cases: list[Any], *, refused: bool) -> Iterator[str]:
    """Yield the names of the values that Prism judges wrongly."""
    bodies = {
        case["operation"]: case["value"]
        for case in reversed(cases)
        if not case["status"] and not case["flaw"]
    }
    with (
        serving_values(cases) as upstream,
        running_prism(prism, "mock", form) as mock,
        running_prism(prism, "proxy", form, upstream, "--errors") as proxy,
        httpx.Client(headers=TOKEN) as client,
    ):
        for number, case in enumerate(cases):
            if bool(case["flaw"]) != refused:
                continue
            if case["status"]:
                body, url, headers = bodies.get(case["operation"]), proxy, {NUMBER: str(number)}
            else:
                body, url, headers = case["value"], mock, {}
            answer = client.request(case["method"], url + case["url"], json=body, headers=headers)
            if case["status"]:
                accepted = (
                    answer.status_code == case["status"] and received(answer) == case["value"]
                )
            else:
                accepted = answer.is_success
            if accepted == refused:
                yield f"{case['name']} ({answer.status_code})"


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    prism, form, third, *others = arguments
    if len(others) > 1:
        collection, url = others
        with running_prism(prism, "proxy", Path(form), url, "--errors") as proxy:
            command = [third, "run", collection, "--env-var", f"baseUrl={proxy}"]
            command += ["--env-var", f"apiKey={MOCK_KEY}", "--env-var", "deviceId=prism"]
            return subprocess.run(command, check=False).returncode
    cases = json.loads(Path(third).read_text(encoding="utf-8"))["cases"]
    refused = others == ["refuses"]
    wrong = list(try_values(prism, Path(form), cases, refused=refused))
    for name in wrong:
        print(f"wrong: {name}")
    print(f"tried {sum(bool(case['flaw']) == refused for case in cases)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
