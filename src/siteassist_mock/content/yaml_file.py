"""Validated YAML files of the user, with errors that have line numbers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

# The greatest size of a file with its aliases replaced, and of its nesting.
_MAX_SIZE = 16 * 2**20
_MAX_DEPTH = 100


class FileError(Exception):
    """An unusable file; the message has the file, the line and the problem."""


class _Constructor(SafeConstructor):
    """A constructor of JSON values, which reads a time as text."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def closed_schema(spec: Mapping[str, Any], name: str, **others: Any) -> dict[str, Any]:
    """Return the schema ``name`` of ``spec`` without unknown properties, but with ``others``.

    The schemas allow unknown properties, which are probably misspelled in a file.
    """
    schemas = spec.get("components", {}).get("schemas", {})
    known = dict.fromkeys(schemas.get(name, {}).get("properties", {}), True)
    return {
        "$ref": f"#/components/schemas/{name}",
        "properties": {**known, **others},
        "additionalProperties": False,
    }


def _children(node: Node) -> Iterable[Node]:
    if isinstance(node, MappingNode):
        return itertools.chain.from_iterable(node.value)
    return node.value if isinstance(node, SequenceNode) else ()


def _named(steps: Sequence[str | int]) -> str:
    """Return a place as text; entries of lists count from 1, as people do."""
    places: list[str] = []
    names: list[str] = []
    for step in steps:
        if isinstance(step, int):
            places += [".".join(names)] if names else []
            places.append(f"entry {step + 1}")
            names.clear()
        else:
            names.append(step)
    return ": ".join(filter(None, (", ".join(places), ".".join(names))))


class YamlFile:
    """A YAML file: its ``value`` as in JSON, and the lines of its parts."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises `FileError` if it is not readable YAML."""
        self._path = path
        self._text = self._read()
        self.value: Any = self._parse()

    def check(
        self, validator: Draft202012Validator, value: Any, place: Sequence[str | int] = ()
    ) -> None:
        """Raise `FileError` unless ``value``, which is at ``place``, is valid."""
        errors = list(validator.iter_errors(value))
        if errors:
            raise self._refusal(errors[0], place, len(errors) - 1)

    def error(self, steps: Sequence[str | int], problem: str) -> FileError:
        """Return an exception for a problem at ``steps``.

        The line is that of the innermost step that exists in the file.
        """
        subject = _named(steps) or "the file"
        return FileError(f"{self._path}:{self._line(steps)}: {subject} {problem}")

    def _refusal(
        self, error: ValidationError, place: Sequence[str | int], others: int
    ) -> FileError:
        """Return an exception for the first error of a value, with the number of the others."""
        steps = [*place, *error.instance_path]
        more = f", and {others} more" if others else ""
        match error.kind:
            case ValidationErrorKind.AdditionalProperties(unexpected=names):
                others += len(names) - 1
                more = f", and {others} more" if others else ""
                return self.error([*steps, names[0]], f"is an unknown key{more}")
            case ValidationErrorKind.Required(property=name):
                return self.error([*steps, name], f"is required{more}")
            case _:
                return self.error(steps, f"{error.message.removeprefix('The value ')}{more}")

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise FileError(f"{self._path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise FileError(f"{self._path}: not UTF-8 at byte {error.start}") from None

    def _parse(self) -> Any:
        yaml = YAML(typ="safe", pure=True)
        yaml.Constructor = _Constructor
        try:
            node = yaml.compose(self._text)
            self._measure(node)
            value = None if node is None else yaml.constructor.construct_document(node)
        except RecursionError:
            raise self._too_deep() from None
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self._path}:{mark.line + 1}" if mark else str(self._path)
            raise FileError(f"{place}: {error.problem}") from None
        except (YAMLError, ValueError) as error:
            raise FileError(f"{self._path}: {str(error).splitlines()[0]}") from None
        try:
            # Converts the keys to text as well, as in JSON.
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            text.encode()
        except (TypeError, ValueError, RecursionError):
            raise self.error((), "has a value that JSON cannot represent") from None
        return json.loads(text)

    def _measure(self, root: Node | None) -> None:
        """Refuse a file that becomes too large or too deep, as aliases repeat its parts.

        Each node is visited once, and merge keys count like other aliases.
        """
        known: dict[int, tuple[int, int]] = {}

        def measure(node: Node) -> tuple[int, int]:
            """Return the size of ``node`` and the depth below it."""
            if id(node) not in known:
                # If the node contains itself, its size has no end.
                known[id(node)] = _MAX_SIZE, 0
                size, depth = 1, 0
                for child in _children(node):
                    child_size, child_depth = measure(child)
                    size, depth = size + child_size, max(depth, child_depth + 1)
                if isinstance(node, ScalarNode):
                    size += len(node.value)
                known[id(node)] = size, depth
            size, depth = known[id(node)]
            if size >= _MAX_SIZE:
                raise FileError(f"{self._path}: its aliases make it larger than {_MAX_SIZE} bytes")
            if depth > _MAX_DEPTH:
                raise self._too_deep()
            return size, depth

        if root is not None:
            measure(root)

    def _too_deep(self) -> FileError:
        return FileError(f"{self._path}: nested more than {_MAX_DEPTH} levels deep")

    def _line(self, steps: Sequence[str | int]) -> int:
        node = YAML(typ="safe", pure=True).compose(self._text)
        line = 1 if node is None else node.start_mark.line + 1
        for step in steps:
            if isinstance(node, MappingNode):
                found = {key.value: (key, value) for key, value in node.value}.get(step)
            elif isinstance(node, SequenceNode) and isinstance(step, int):
                found = (node.value[step], node.value[step])
            else:
                found = None
            if found is None:
                break
            line = found[0].start_mark.line + 1
            node = found[1]
        return int(line)
