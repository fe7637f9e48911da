"""The description that a server publishes itself, and its differences from ``openapi.yaml``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from siteassist_contract import description
from siteassist_contract.http import preflight
from siteassist_contract.http.preflight import Target
from siteassist_contract.verdict import CannotRunError
from siteassist_spec import Document, SpecError, differences
from siteassist_spec.differences import Difference
from siteassist_spec.schema_meaning import as_json

PATH = "/openapi"
"""The path of the description, which `openapi.yaml` does not have: docs/evidence.md."""
_READ = re.compile(r"3\.[012](\.|$)")
"""The versions of OpenAPI that can be read."""
_NO_DESCRIPTION = f"the answer to GET {PATH} is not an OpenAPI description"


def fetch(target: Target) -> Document:
    """Return the description that a server publishes.

    Raises `CannotRunError` if it publishes none.
    """
    response = preflight.fetch(target, PATH)
    if response.status_code != httpx.codes.OK:
        problem = f"the server publishes no description: GET {PATH} answered {response.status_code}"
        if not urlsplit(target.base_url).path.strip("/"):
            problem += f"; the base URL has no version: {preflight.EXPECTED}"
        raise CannotRunError(problem)
    try:
        found = _read(response)
    except SpecError as error:
        raise CannotRunError(f"{_NO_DESCRIPTION}: {error}") from None
    if problem := _unread_version(found):
        raise CannotRunError(problem)
    if not isinstance(found.raw.get("paths"), dict):
        raise CannotRunError(f"{_NO_DESCRIPTION}: it has no `paths`")
    return found


def compare(target: Target) -> list[Difference]:
    """Return the differences of a server's description from ours.

    Raises `CannotRunError` as `fetch` does.
    """
    try:
        return differences.find(description.document(), fetch(target))
    except RecursionError:
        raise CannotRunError(f"{_NO_DESCRIPTION}: nested too deeply") from None


def line(target: Target) -> str:
    """Return the result of a comparison as one line, for each answer of the server."""
    try:
        found = compare(target)
    except CannotRunError as error:
        return f"The server's own description was not compared: {error}."
    if not found:
        return "The server's own description does not differ from openapi.yaml."
    return f"The server's own description differs from openapi.yaml: {counted(found)}; see drift."


def counted(found: Sequence[Difference]) -> str:
    """Return the number of differences of each kind."""
    return ", ".join(
        f"{kind} {number}"
        for kind in differences.KINDS
        if (number := sum(each.kind == kind for each in found))
    )


def _unread_version(found: Document) -> str:
    """Return why a description of this version cannot be read; nothing if it can.

    A description without a version is compared: its other content shows its kind.
    """
    for key in ("swagger", "openapi"):
        version = found.raw.get(key)
        is_read = key == "openapi" and _READ.match(str(version))
        if version is not None and not is_read:
            return (
                f"the description that GET {PATH} answers has `{key}` {as_json(version)};"
                " OpenAPI 3.0, 3.1 and 3.2 can be read"
            )
    return ""


def _read(response: httpx.Response) -> Document:
    path = Path(PATH)
    try:
        text = response.content.decode()
    except UnicodeDecodeError as error:
        raise SpecError(f"not UTF-8 at byte {error.start}") from None
    try:
        raw = json.loads(text)
    except RecursionError:
        raise SpecError("nested too deeply") from None
    except ValueError:
        if text.lstrip().startswith(("{", "<")):
            raise SpecError("neither JSON nor YAML") from None
        return Document.parse(text, path)
    if not isinstance(raw, dict):
        raise SpecError("an OpenAPI description must be a mapping")
    return Document(raw)
