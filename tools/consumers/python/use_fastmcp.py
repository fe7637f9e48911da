"""Make an MCP server of a description with FastMCP, and call every tool on the mock.

python use_fastmcp.py FORM CASES URL KEY TOKEN
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx2
from fastmcp import Client, FastMCP

form, cases, url, key, token = sys.argv[1:]
description = json.loads(Path(form).read_text(encoding="utf-8"))
operations = json.loads(Path(cases).read_text(encoding="utf-8"))["operations"]
# The handshake of a WebSocket is a request without a response.
for item in description["paths"].values():
    for method in list(item):
        if any("x-websocket" in response for response in item[method]["responses"].values()):
            del item[method]
description["paths"] = {path: item for path, item in description["paths"].items() if item}
given = {"apiKey": key, "saVid": "fastmcp"}


def note_ids(found: Any) -> None:
    """Keep the newest identifier of each kind of object, for the parameter of its name."""
    if isinstance(found, list):
        for one in found:
            note_ids(one)
    elif isinstance(found, dict):
        if "object" in found and "id" in found:
            given[f"{found['object']}Id"] = found["id"]
        for one in found.values():
            note_ids(one)


async def main() -> None:
    """Call the tools in the order of a visitor's journey."""
    async with httpx2.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {token}"}
    ) as http:
        server = FastMCP.from_openapi(openapi_spec=description, client=http)
        async with Client(server) as client:
            tools = {tool.name for tool in await client.list_tools()}
            assert {one["id"] for one in operations} == tools, tools
            for one in operations:
                arguments = {**one["arguments"], **one["body"]}
                arguments = {name: given.get(name, value) for name, value in arguments.items()}
                result = await client.call_tool(one["id"], arguments)
                note_ids(result.structured_content)
                assert result.structured_content, one["id"]
    print(f"tried {len(tools)}")


asyncio.run(main())
