"""AsyncAPI's own parser, TypeScript and an independent validator take the published socket."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from websockets.sync.client import connect

from scripts.publish.documents import as_yaml
from siteassist_mock.testing import mock_server
from siteassist_spec import load_spec
from siteassist_spec.transform import to_asyncapi
from tests.description import DOCUMENT
from tests.values import API_KEY, BEARER, ROOT

LIMIT = 120.0
NODE = ROOT / "tools" / "node"
PROGRAM = """
import type { components } from "./types";

type Schemas = components["schemas"];

export function told(event: Schemas["SocketNewMessage"] | Schemas["SocketHumanAssigned"]): string {
  switch (event.type) {
    case "new_message":
      return event.message.role;
    case "human_assigned":
      return event.chatId;
  }
}
export const ping: Schemas["SocketPing"] = "ping";
export const pong: Schemas["SocketPong"] = "pong";
// @ts-expect-error: another text
export const wrong: Schemas["SocketPing"] = "PING";
// @ts-expect-error: an event without its conversation
export const incomplete: Schemas["SocketHumanAssigned"] = { type: "human_assigned" };
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the document as `make publish` does."""
    path = tmp_path_factory.mktemp("asyncapi") / "asyncapi.yaml"
    path.write_bytes(as_yaml(to_asyncapi(DOCUMENT)))
    return path


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program, and return its output."""
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=LIMIT, check=False
    )


def parsed(path: Path) -> tuple[int, str]:
    """Return the exit status and the output of AsyncAPI's parser."""
    if not (NODE / "node_modules" / "@asyncapi" / "parser").exists():
        pytest.skip("@asyncapi/parser of tools/node/package.json is not installed")
    done = run("node", NODE / "asyncapi.mjs", path)
    return done.returncode, done.stdout + done.stderr


def test_parser_finds_nothing(node_bin: Path, published: Path) -> None:
    """AsyncAPI's parser finds neither errors nor warnings nor hints."""
    assert node_bin
    assert (0, "") == parsed(published)


def test_parser_finds_a_fault(node_bin: Path, published: Path, tmp_path: Path) -> None:
    """An action that does not exist is an error, so the check above looks."""
    assert node_bin
    document = load_spec(published)
    name, operation = next(iter(document["operations"].items()))
    operation["action"] = "shout"
    (tmp_path / "asyncapi.yaml").write_bytes(as_yaml(document))
    status, output = parsed(tmp_path / "asyncapi.yaml")
    assert 1 == status
    assert f"operations.{name}.action" in output


def test_types_of_messages_compile(node_bin: Path, published: Path, tmp_path: Path) -> None:
    """TypeScript types of the messages compile, tell events apart and refuse wrong ones."""
    components = load_spec(published)["components"]
    description = {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {},
        "components": {"schemas": components["schemas"]},
    }
    (tmp_path / "openapi.json").write_text(json.dumps(description))
    types = tmp_path / "types.ts"
    done = run(node_bin / "openapi-typescript", tmp_path / "openapi.json", "--output", types)
    assert 0 == done.returncode, done.stderr
    (tmp_path / "program.ts").write_text(PROGRAM)
    done = run(node_bin / "tsc", "--strict", "--noEmit", tmp_path / "program.ts", cwd=tmp_path)
    assert (0, "") == (done.returncode, done.stdout)


def test_every_text_of_a_run_is_valid(published: Path) -> None:
    """Each text that the mock sends is valid by the published schemas, for another validator."""
    document = load_spec(published)
    messages = document["components"]["messages"]
    kinds = {one["name"]: name for name, one in messages.items()}

    def check(text: str) -> str:
        value: Any = text if text in kinds else json.loads(text)
        kind = value if isinstance(value, str) else value["type"]
        schema = {**messages[kinds[kind]]["payload"], "components": document["components"]}
        jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
            value
        )
        return str(kind)

    with mock_server() as mock, httpx.Client(base_url=mock.url, headers=BEARER) as http:
        chat = http.post("/conversations").json()["id"]
        address = f"{mock.url.replace('http', 'ws', 1)}/conversations/{chat}/ws?apiKey={API_KEY}"
        with connect(address, proxy=None) as socket:
            socket.send("ping")
            found = [check(str(socket.recv(LIMIT)))]
            mock.hand_over(chat, name="Sam", image="https://example.com/sam.png")
            mock.say(chat, "Hé, 👋 <b>there</b>")
            mock.hand_over(chat)
            mock.say(chat, "x" * 10_000)
            found += [check(str(socket.recv(LIMIT))) for _ in range(4)]
    expected = ["pong", *["human_assigned", "new_message"] * 2]
    assert expected == found
