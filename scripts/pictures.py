"""Make the pictures, the long outputs and the measured figures of the README and the docs.

    .venv/bin/python -m scripts.pictures

Runs the contract tests on a mock with a fault, and takes pictures of the report and of the
operator's page in Chromium. Writes ``docs/images``, and replaces the text between
``<!-- output: NAME -->`` and ``<!-- end -->`` in the pages. Run it after a change of the output
or of one of these pages.

Exit status: 0 the files are written; 2 Chromium or npm is missing.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright

from siteassist import SiteAssist
from siteassist_mock.testing import mock_server

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
PAGES = (ROOT / "README.md", ROOT / "docs" / "tutorials" / "first-contract-run.md")
KEY = "sa_pk_1234567890abcdef"
PEERS = ("openai", "schemathesis")
PRISM = "@stoplight/prism-cli@5"
PYTHON = "3.11"
FAULT = "no-terminator:1"
FLAGS = re.MULTILINE | re.DOTALL
PORT = 8788
"""The port of the server with a fault in the tutorial."""
SIZE = {"width": 1000, "height": 640}
QUALITY = 70
_QUESTIONS = (
    ("How long does shipping take?", "Can I return a desk?"),
    ("Do you ship to islands?",),
    ("Which woods do you have?", "Is oak more expensive than beech?"),
)


def findings(folder: Path, *options: str) -> str:
    """Run the contract tests on a server with a fault, and return the output."""
    with mock_server(port=PORT, faults=FAULT) as url:
        tool = Path(sys.executable).with_name("siteassist-contract")
        command = [str(tool), str(url), "--api-key", KEY, *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 1:
        raise SystemExit(f"expected a violation, got: {done.stdout}{done.stderr}")
    return done.stdout


def first_finding(output: str) -> str:
    """Return the first finding of an output, with the ends of the answer, and the last line."""
    finding = re.search(r"^Finding 1:.*?(?=^\n?Finding 2:|^Requests by)", output, FLAGS)
    if finding is None:
        raise SystemExit(f"no finding in: {output}")
    head, label, rest = finding[0].strip().partition("  answer:\n")
    answer, mark, reproduce = rest.partition("  reproduce:")
    lines = answer.rstrip().splitlines()
    kept = "\n".join([*lines[:2], "    ...", lines[-1], ""])
    *_, last = output.strip().splitlines()
    return f"{head}{label}{kept}{mark}{reproduce}\n\n{last}"


def stream() -> str:
    """Return the beginning and the end of a streamed completion."""
    body = {"stream": True, "messages": [{"role": "user", "content": "Hello"}]}
    with mock_server() as url:
        answer = httpx.post(
            f"{url}/chat/completions",
            json=body,
            headers={"Authorization": "Bearer sk_test_1234567890abcdef"},
        )
    lines = [line for line in answer.text.splitlines() if line]
    texts = [line for line in lines if '"text-delta"' in line]
    return "\n\n".join([lines[0], "...", *texts[:2], "...", *lines[-2:]])


def operator_page(browser: Browser, target: Path) -> None:
    """Take a picture of the operator's page with some conversations."""
    with mock_server() as mock, SiteAssist(api_key=KEY, base_url=mock.url) as client:
        latest = ""
        for number, questions in enumerate(_QUESTIONS):
            with client.visitor(device_id=f"device-{number}") as visitor:
                conversation = visitor.start_conversation()
                latest = str(conversation.id)
                for question in questions:
                    visitor.send_message(conversation.id, content=question)
        mock.hand_over(latest, name="Sam")
        mock.say(latest, "Oak costs a third more. Shall I send you samples?")
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a TypedDict
        page.goto(f"{mock.url.removesuffix('/v2')}/_mock/ui")
        page.get_by_text("Shall I send you samples?").first.click()
        page.get_by_text(_QUESTIONS[-1][-1]).last.wait_for()
        picture(page, target)
        page.close()


def report_page(browser: Browser, report: Path, target: Path) -> None:
    """Take a picture of the first screen of a report."""
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]  # a TypedDict
    page.goto(report.as_uri())
    picture(page, target)
    page.close()


def picture(page: Any, target: Path) -> None:
    """Write a picture of a page as WebP, which Playwright's own screenshots cannot."""
    session = page.context.new_cdp_session(page)
    options = {"format": "webp", "quality": QUALITY}
    data = session.send("Page.captureScreenshot", options)["data"]
    target.write_bytes(base64.b64decode(data))


def packages() -> str:
    """Return the number of packages that an installation of this project, or of a peer, has."""
    own = (ROOT / "pyproject.toml").as_posix()
    counts = {
        # uv counts the requirements of a project, and not the project itself.
        "siteassist": 1 + installed(own),
        "siteassist[mock]": 1 + installed("--extra=mock", own),
        "siteassist[contract]": 1 + installed("--extra=contract", own),
        **{peer: installed("-", peer=peer) for peer in PEERS},
        PRISM.rpartition("@")[0]: installed_by_npm(PRISM),
    }
    lines = [f"{name:<24}{count:>4}" for name, count in counts.items()]
    versions = f"{datetime.now(UTC):%Y-%m-%d}, Python {PYTHON}"
    return "\n".join(
        [*lines, "", f"Latest versions as of {versions}; prism-cli installed with npm."]
    )


def installed(*words: str, peer: str = "") -> int:
    """Return the number of Python packages that a requirement resolves to."""
    uv = Path(sys.executable).with_name("uv")
    options = ("--quiet", "--no-header", "--no-annotate", f"--python-version={PYTHON}")
    command = [str(uv), "pip", "compile", *options, *words]
    done = subprocess.run(command, input=peer, capture_output=True, text=True, check=True)
    return sum("==" in line for line in done.stdout.splitlines())


def installed_by_npm(package: str) -> int:
    """Return the number of packages that npm would install."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--silent")
        subprocess.run(["npm", "install", f"--prefix={folder}", *options, package], check=True)
        lock = json.loads((Path(folder) / "package-lock.json").read_text(encoding="utf-8"))
    # The first entry is the folder itself.
    return len(lock["packages"]) - 1


def replace(page: Path, outputs: Mapping[str, str]) -> None:
    """Replace the outputs in a page."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- output: {name} -->\n```text\n{outputs[name]}\n```\n<!-- end -->"

    marked = re.compile(r"<!-- output: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
    page.write_text(marked.sub(block, page.read_text(encoding="utf-8")), encoding="utf-8")


def main() -> int:
    """Run the command and return the exit status."""
    chromium = shutil.which("chromium")
    if chromium is None or shutil.which("npm") is None:
        print("The pictures cannot be made: Chromium and npm are needed.", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        narrowed = findings(Path(folder), "--only", "stream-end", "--stop-at-first")
        outputs = {
            "finding": first_finding(narrowed),
            "stream": stream(),
            "packages": packages(),
        }
        browser = playwright.chromium.launch(executable_path=chromium)
        report = Path(folder) / "reports" / "html" / "index.html"
        report_page(browser, report, IMAGES / "report.webp")
        operator_page(browser, IMAGES / "operator.webp")
        browser.close()
    for path in PAGES:
        replace(path, outputs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
