"""The seed from a YAML file: project, keys, Q&As and pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from siteassist_mock.content.seed import PROJECT, PROJECT_ID, SEED, Seed
from siteassist_mock.content.yaml_file import YamlFile, closed_schema
from siteassist_mock.http.request_validation import compile_schema

# A key is sent in headers and URLs.
_KEY = {"type": "string", "pattern": "^[!-~]+$"}
_ORIGIN = {"type": "string", "pattern": r"^(\*|https?://[^/?#@\s]+)$"}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_SCHEMA = {
    "type": "object",
    "properties": {
        "project": {
            "type": "object",
            "properties": {
                "name": True,
                "description": True,
                "chatWidgetConfig": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "publishableKeys": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {"key": _KEY, "origins": {"type": "array", "items": _ORIGIN}},
                "required": ["key"],
                "additionalProperties": False,
            },
        },
        "privateKeys": {"type": "array", "minItems": 1, "items": _KEY},
        "qnas": _OBJECTS,
        "pages": _OBJECTS,
    },
    "additionalProperties": False,
}
_WRITTEN = "2024-01-01T09:00:00.000Z"


def read_seed(path: Path, spec: Mapping[str, Any]) -> Seed:
    """Return the seed of a file; missing sections are those of the built-in seed.

    The values are validated with the schemas of ``spec``, without unknown fields. Raises
    `siteassist_mock.content.yaml_file.FileError` if the file cannot be used.
    """
    return _SeedFile(path, spec).seed()


class _SeedFile:
    def __init__(self, path: Path, spec: Mapping[str, Any]) -> None:
        self._file = YamlFile(path)
        self._spec = spec
        self._file.check(compile_schema("--seed", _SCHEMA, {}), self._file.value)

    def seed(self) -> Seed:
        value = self._file.value
        return Seed(
            project=self._project(value.get("project", {})),
            publishable_keys=self._keys(value.get("publishableKeys")),
            private_keys=tuple(value["privateKeys"]) if "privateKeys" in value else None,
            qnas=self._qnas(value["qnas"]) if "qnas" in value else SEED.qnas,
            pages=self._pages(value["pages"]) if "pages" in value else SEED.pages,
        )

    def _project(self, node: dict[str, Any]) -> dict[str, Any]:
        widget = {**PROJECT["chatWidgetConfig"], **node.get("chatWidgetConfig", {})}
        self._check("ChatWidgetConfig", widget, ["project", "chatWidgetConfig"])
        project = {**PROJECT, **node, "chatWidgetConfig": widget}
        self._check("Project", project, ["project"])
        return project

    def _keys(self, nodes: list[dict[str, Any]] | None) -> dict[str, tuple[str, ...]] | None:
        if nodes is None:
            return None
        self._refuse_twice("publishableKeys", "key", (node["key"] for node in nodes))
        return {
            node["key"]: tuple(origin.lower() for origin in node.get("origins", ["*"]))
            for node in nodes
        }

    def _qnas(self, nodes: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        qnas = []
        for index, node in enumerate(nodes):
            created = node.get("createdAt", _WRITTEN)
            qna = {
                "object": "qna",
                "id": str(uuid.uuid5(uuid.UUID(PROJECT_ID), f"{index} {node.get('question')}")),
                "createdAt": created,
                "updatedAt": created,
                **node,
            }
            self._check("Qna", qna, ["qnas", index])
            # As in the parameters of a path.
            qnas.append({**qna, "id": qna["id"].lower()})
        self._refuse_twice("qnas", "id", (qna["id"] for qna in qnas))
        return tuple(sorted(qnas, key=lambda qna: qna["createdAt"]))

    def _pages(self, nodes: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        pages = []
        for index, node in enumerate(nodes):
            if "score" in node:
                raise self._file.error(
                    ["pages", index, "score"], "is not allowed: it depends on the query"
                )
            page = {"path": _path(node.get("url")), **node}
            self._check("SearchResult", {"score": 1, **page}, ["pages", index])
            pages.append(page)
        return tuple(pages)

    def _check(self, name: str, value: Any, place: list[str | int]) -> None:
        schema = closed_schema(self._spec, name)
        self._file.check(compile_schema("--seed", schema, self._spec), value, place)

    def _refuse_twice(self, section: str, name: str, values: Iterable[str]) -> None:
        seen = set()
        for index, value in enumerate(values):
            if value in seen:
                raise self._file.error([section, index, name], "is duplicated")
            seen.add(value)


def _path(url: object) -> str:
    try:
        return urlsplit(str(url)).path or "/"
    except ValueError:
        # The validation of the URL reports the error.
        return "/"
