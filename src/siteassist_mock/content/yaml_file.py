"""Validated YAML files of the user, with errors that have line numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode


class FileError(Exception):
    """An unusable file; the message has the file, the line and the problem."""


class _Constructor(SafeConstructor):
    """A constructor of JSON values, which reads a time as text."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


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
        for error in validator.iter_errors(value):
            raise self._refusal(error, place)

    def error(self, steps: Sequence[str | int], problem: str) -> FileError:
        """Return an exception for a problem at ``steps``.

        The line is that of the innermost step that exists in the file.
        """
        subject = ".".join(str(step) for step in steps) or "the file"
        return FileError(f"{self._path}:{self._line(steps)}: {subject} {problem}")

    def _refusal(self, error: ValidationError, place: Sequence[str | int]) -> FileError:
        steps = [*place, *error.instance_path]
        match error.kind:
            case ValidationErrorKind.AdditionalProperties(unexpected=names):
                return self.error([*steps, names[0]], "is an unknown key")
            case ValidationErrorKind.Required(property=name):
                return self.error([*steps, name], "is required")
            case _:
                return self.error(steps, error.message.removeprefix("The value "))

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
            value = yaml.load(self._text)
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
