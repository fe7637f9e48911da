"""Reproducible serialisation: the same content always gives the same bytes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

_WIDTH = 100
# Strings that YAML 1.1, unlike 1.2, reads as booleans or as numbers with a colon.
_OTHER = re.compile(r"y|n|yes|no|on|off|[-+]?\d[\d_:.]*", re.IGNORECASE)


class _Representer(SafeRepresenter):
    """A representer that writes strings of several lines as block scalars."""

    def represent_text(self, data: str) -> ScalarNode:
        style = "|" if "\n" in data.rstrip("\n") else "'" if _OTHER.fullmatch(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        """Write repeated objects in full instead of as aliases."""
        return True


_Representer.add_representer(str, _Representer.represent_text)


def as_json(document: Mapping[str, Any]) -> bytes:
    """Serialise ``document`` as JSON, keeping the order of its keys."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def as_yaml(document: Mapping[str, Any]) -> bytes:
    """Serialise ``document`` as YAML that means the same in versions 1.1 and 1.2."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    # ruamel.yaml declares the type as None, although the attribute is a boolean.
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = _WIDTH
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.BytesIO()
    yaml.dump(document, stream)
    return stream.getvalue()
