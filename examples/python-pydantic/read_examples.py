"""Read every example of the description with its model, and write it unchanged again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from client import models
from pydantic import TypeAdapter

description = json.loads(Path("openapi.json").read_text(encoding="utf-8"))


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    while "$ref" in node:
        found = description
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def contents() -> Iterator[dict[str, Any]]:
    """Yield the content of each request and response, by media type."""
    for path in description["paths"].values():
        for operation in path.values():
            yield operation.get("requestBody", {}).get("content", {})
            for response in operation["responses"].values():
                yield resolve(response).get("content", {})


read = 0
for content in contents():
    media = content.get("application/json", {})
    for name, example in media.get("examples", {}).items():
        value = resolve(example)["value"]
        model = TypeAdapter(getattr(models, media["schema"]["$ref"].rpartition("/")[2]))
        again = model.dump_python(model.validate_python(value), mode="json", exclude_unset=True)
        assert again == value, (name, again, value)
        read += 1
print(f"{read} examples")
assert read
