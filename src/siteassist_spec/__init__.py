"""The one copy of ``openapi.yaml`` that everything else reads.

In a checkout that is the file at the repository's root; in an installed wheel
it is the copy that the build puts beside this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

__all__ = ["SPEC_PATH", "SpecError", "load_spec"]

_PACKAGED = Path(__file__).with_name("openapi.yaml")
_CHECKOUT = Path(__file__).resolve().parents[2] / "openapi.yaml"

SPEC_PATH: Path = _PACKAGED if _PACKAGED.exists() else _CHECKOUT
"""Where ``openapi.yaml`` is."""


class SpecError(Exception):
    """``openapi.yaml`` cannot be read; the message names file, line and problem."""


def load_spec(path: Path | None = None) -> dict[str, Any]:
    """Read the API description.

    ``path`` defaults to `SPEC_PATH`. YAML 1.2 rules apply, and a key that occurs
    twice is an error.

    Raises `SpecError` if the file cannot be read, is no YAML, or is no mapping
    at its top.
    """
    path = path or SPEC_PATH
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 at byte {error.start}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else f"{path}"
        problem = error.problem or error.context or "not valid YAML"
        raise SpecError(f"{place}: {problem}") from None
    except YAMLError as error:
        raise SpecError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise SpecError(f"{path}:1: an OpenAPI description is a mapping, this is {_kind(document)}")
    return document


def _kind(document: object) -> str:
    return "empty" if document is None else f"a {type(document).__name__}"
