"""The description as a document: loading, line numbers and references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

Json: TypeAlias = Mapping[str, Any]
"""A node of the description, with its references not followed."""
Pointer: TypeAlias = tuple[str | int, ...]
"""The keys and indexes on the way from the root of the description to a node."""

_PACKAGED = Path(__file__).with_name("openapi.yaml")
_CHECKOUT = Path(__file__).resolve().parents[2] / "openapi.yaml"

SPEC_PATH: Path = _PACKAGED if _PACKAGED.exists() else _CHECKOUT
"""Path of ``openapi.yaml``: next to this module in an installed wheel, else the checkout's root."""


class SpecError(Exception):
    """The description cannot be used. The message states the file, line, column and problem."""


class Document:
    """An OpenAPI description.

    `raw` is the parsed YAML. Its references are not followed: `resolve` follows the
    reference of a node. Problems are reported with the line and column of the node.
    """

    def __init__(self, raw: Json, *, path: Path | None = None, text: str | None = None) -> None:
        """Wrap a description that is already parsed.

        ``path`` and ``text`` are the path and the content of its file. Without them,
        problems are reported with the JSON pointer of the node instead.
        """
        self.raw = raw
        self.path = path
        self._text = text
        resource = DRAFT202012.create_resource(raw)
        self._resolver = Registry().with_resource("", resource).resolver()
        self._targets: dict[str, Json] = {}

    @classmethod
    def load(cls, path: Path | None = None) -> Document:
        """Read a description from ``path``, by default `SPEC_PATH`.

        YAML 1.2 rules apply, and a duplicated key is an error. Raises `SpecError` if
        the file cannot be read, is not valid YAML, or is not a mapping.
        """
        path = path or SPEC_PATH
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise SpecError(f"{path}: {error.strerror or error}") from None
        except UnicodeDecodeError as error:
            raise SpecError(f"{path}: not UTF-8 at byte {error.start}") from None
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path) -> Document:
        """Read a description from ``text``, the content of the file at ``path``.

        Raises `SpecError` as `load` does.
        """
        try:
            raw = YAML(typ="safe", pure=True).load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
            problem = error.problem or error.context or "not valid YAML"
            raise SpecError(f"{place}: {problem}") from None
        except YAMLError as error:
            raise SpecError(f"{path}: {error}") from None
        except RecursionError:
            raise SpecError(f"{path}: nested too deeply") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Such as a date that does not exist.
            raise SpecError(f"{path}: {error}") from None
        if not isinstance(raw, dict):
            kind = "an empty file" if raw is None else f"a {type(raw).__name__}"
            raise SpecError(f"{path}:1: an OpenAPI description must be a mapping, got {kind}")
        return cls(raw, path=path, text=text)

    def resolve(self, node: Json) -> Json:
        """Follow the ``$ref`` of ``node``, and that of its target, to the final target.

        Keywords beside a ``$ref`` are ignored. Raises `SpecError` if a reference has no
        target, or one that is not a mapping, leads to another file, or refers to itself.
        """
        seen: list[str] = []
        while "$ref" in node:
            reference = node["$ref"]
            if not isinstance(reference, str):
                raise self.error("a $ref that is not a text", self.find({"$ref": reference}))
            if reference in seen:
                raise self.error(f"{reference} refers to itself", self.find({"$ref": seen[-1]}))
            seen.append(reference)
            if reference not in self._targets:
                self._targets[reference] = self._look_up(reference)
            node = self._targets[reference]
        return node

    def _look_up(self, reference: str) -> Json:
        try:
            target = self._resolver.lookup(reference).contents
        except (AttributeError, LookupError, TypeError, Unresolvable, ValueError):
            target = None
        if not isinstance(target, Mapping):
            raise self.error(f"cannot resolve {reference}", self.find({"$ref": reference}))
        return target

    def component(self, node: Json) -> str | None:
        """Return the name of the component that ``node`` refers to; None without a ``$ref``."""
        reference = node.get("$ref", "")
        return str(reference).rpartition("/")[2] or None

    def at(self, pointer: Pointer) -> Any:
        """Return the node at ``pointer``. Raises `KeyError` or `IndexError` for an unknown one."""
        node: Any = self.raw
        for step in pointer:
            node = node[step]
        return node

    def find(self, needle: Json) -> Pointer:
        """Return the pointer of the first node that has all items of ``needle``.

        If no node has them, this is the pointer of the root.
        """
        for pointer, node in walk(self.raw):
            if isinstance(node, Mapping) and needle.items() <= node.items():
                return pointer
        return ()

    def error(self, problem: str, pointer: Pointer = ()) -> SpecError:
        """Return a `SpecError` with the place of the node at ``pointer`` and the problem."""
        return SpecError(f"{self.place(pointer)}: {problem}")

    def place(self, pointer: Pointer) -> str:
        """Return ``openapi.yaml:LINE:COLUMN`` of a node.

        If the node does not exist, this is the place of its nearest existing parent. If the
        description was not read from a file, it is the JSON pointer.
        """
        if self._text is None:
            steps = (str(step).replace("~", "~0").replace("/", "~1") for step in pointer)
            return "#" + "".join(f"/{step}" for step in steps)
        node = self._nodes
        mark = node.start_mark
        for step in pointer:
            child = _child(node, step)
            if child is None:
                break
            key, node = child
            mark = key.start_mark
        return f"{self.path or SPEC_PATH}:{mark.line + 1}:{mark.column + 1}"

    @cached_property
    def _nodes(self) -> Node:
        # Parsed again with line numbers, for messages only: they make parsing several
        # times slower.
        composed: Node = YAML(typ="safe", pure=True).compose(self._text)
        return composed


def load_spec(path: Path | None = None) -> dict[str, Any]:
    """Return the parsed description, for tools that interpret OpenAPI themselves.

    Raises `SpecError` like `Document.load`.
    """
    return dict(Document.load(path).raw)


def walk(node: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:
    """Yield ``node`` and every node below it, each with its pointer; parents come first."""
    yield pointer, node
    children: Iterable[tuple[str | int, Any]] = ()
    if isinstance(node, Mapping):
        children = node.items()
    elif isinstance(node, Sequence) and not isinstance(node, str):
        children = enumerate(node)
    for step, child in children:
        yield from walk(child, (*pointer, step))


def _child(node: Node, step: str | int) -> tuple[Node, Node] | None:
    if isinstance(node.value, str):
        return None
    if isinstance(step, int):
        found = node.value[step] if step < len(node.value) else None
        return None if found is None or isinstance(found, tuple) else (found, found)
    pairs = (entry for entry in node.value if isinstance(entry, tuple))
    return next(((key, value) for key, value in pairs if key.value == step), None)
