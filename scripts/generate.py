"""Generate the client from ``openapi.yaml``, with its reference and a program that calls it all.

With ``--check``, only tell whether they are up to date.

Exit status: 0 done or up to date, 1 out of date (``--check``), 2 the generator
could not do its work.
"""

from __future__ import annotations

import argparse
import copy
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from siteassist_spec import SpecError, load_spec

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "generator-config.yml"
TEMPLATES = ROOT / "templates"
PACKAGE = ROOT / "generated" / "siteassist"
PAGE = ROOT / "docs" / "client-reference.md"
PROGRAM = ROOT / "tests" / "generated" / "every_method.py"


class GenerationError(Exception):
    """The generator failed; the message is what to tell the user."""


# What the templates have to know and cannot see is added to a copy of the
# description, in places that they can: extensions of responses.
METHODS = ("get", "put", "post", "delete", "patch")
PARTS = "MessagePart"
USAGE = "TokenUsage"


def prepare(description: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of ``description`` that tells the templates all they need.

    The generator drops an operation's own name and path, the descriptions of
    parameters, every bound, and what is inside a server-sent event. So the first
    success of each operation gets ``x-operation`` (name, method, path, and what
    is to be said of each parameter), ``x-event-stream`` gets the payloads by
    their type, and the descriptions of properties get their bounds.
    """
    prepared = copy.deepcopy(description)
    schemas = prepared.get("components", {}).get("schemas", {})
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "$ref" not in field:
                field["description"] = _described(field, field.get("description", ""))
    for path, item in prepared["paths"].items():
        for method, operation in item.items():
            if method not in METHODS:
                continue
            success = min(code for code in operation["responses"] if code.startswith("2"))
            response = operation["responses"][success]
            response["x-operation"] = {
                "name": operation["operationId"],
                "method": method.upper(),
                "path": path,
                "base_url": prepared["servers"][0]["url"],
                "parameters": {
                    found["name"]: _described(
                        _resolve(prepared, found["schema"]), found["description"]
                    )
                    for found in (
                        _resolve(prepared, parameter)
                        for parameter in operation.get("parameters", [])
                    )
                },
            }
            if "x-event-stream" in response:
                event = _resolve(prepared, response["content"]["text/event-stream"]["schema"])
                payload = next(
                    kind["contentSchema"]
                    for kind in event["properties"]["data"]["anyOf"]
                    if "contentSchema" in kind
                )
                response["x-event-stream"] |= {
                    "payloads": _variants(prepared, _resolve(prepared, payload)),
                    "parts": _variants(prepared, schemas[PARTS]),
                    "usage": USAGE,
                }
    return prepared


def _resolve(description: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = description
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def _variants(description: dict[str, Any], union: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a union by their ``type``: exactly, by prefix, and the rest."""
    exact, prefixes, other = {}, {}, ""
    for reference in union["oneOf"]:
        name = reference["$ref"].rpartition("/")[2]
        kind = _resolve(description, reference)["properties"]["type"]
        if "const" in kind:
            exact[kind["const"]] = name
        elif "pattern" in kind:
            prefixes[kind["pattern"].removeprefix("^")] = name
        else:
            other = name
    return {"exact": exact, "prefixes": prefixes, "other": other}


def _described(schema: dict[str, Any], description: str) -> str:
    """Return ``description`` with the bounds and the default of ``schema``."""
    said = [description.strip()]
    for low, high, unit in (("minLength", "maxLength", " characters"), ("minimum", "maximum", "")):
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            said.append(f"From {least:,} to {most:,}{unit}.")
        elif most is not None:
            said.append(f"At most {most:,}{unit}.")
        elif least is not None:
            said.append(f"At least {least:,}{unit.rstrip('s') if least == 1 else unit}.")
    default = schema.get("default")
    if default not in (None, []) and "const" not in schema:
        said.append(f"`{json.dumps(default).strip(chr(34))}` if left out.")
    return " ".join(part for part in said if part)


def generate(target: Path) -> None:
    """Write the package to ``target``, which must not exist.

    Raises `GenerationError` if the generator fails or warns.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as prepared:
        try:
            json.dump(prepare(load_spec()), prepared)
        except (KeyError, TypeError, ValueError, StopIteration, AttributeError) as error:
            msg = f"openapi.yaml lacks what the client is made from: {error!r}"
            raise GenerationError(msg) from error
        prepared.flush()
        _run_generator(Path(prepared.name), target)


def _run_generator(prepared: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    tools = Path(sys.executable).parent
    command = [
        str(tools / "openapi-python-client"),
        "generate",
        f"--path={prepared}",
        f"--config={CONFIG}",
        f"--output-path={target}",
        f"--custom-template-path={TEMPLATES}",
        "--meta=none",
        "--fail-on-warning",
    ]
    # The post-hooks find ruff by name.
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenerationError(f"{done.stdout}{done.stderr}".strip())
    # Without packaging metadata the generator leaves this marker out.
    (target / "py.typed").touch()


def describe(package: Path, page: Path, program: Path) -> None:
    """Write the reference of the client in ``package``, and the program that calls it all.

    Raises `GenerationError` if that fails.
    """
    path = os.pathsep.join((str(package.parent), str(ROOT / "src")))
    reference = Path(__file__).with_name("reference.py")
    ruff = str(Path(sys.executable).with_name("ruff"))
    hooks = ("--isolated", "--no-cache", "--quiet", "--target-version=py311", "--line-length=100")
    for command in (
        [sys.executable, str(reference), str(page), str(program)],
        [ruff, "check", "--fix-only", "--select=I", *hooks, str(program)],
        [ruff, "format", *hooks, str(program)],
    ):
        done = subprocess.run(
            command,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise GenerationError(f"{done.stdout}{done.stderr}".strip())


def differences(expected: Path, actual: Path) -> list[str]:
    """Describe how the files below ``actual`` differ from those below ``expected``."""
    wanted, found = _files(expected), _files(actual)
    rows = [f"missing   {name}" for name in wanted - found]
    rows += [f"extra     {name}" for name in found - wanted]
    rows += [
        f"differs   {name}"
        for name in wanted & found
        if not filecmp.cmp(expected / name, actual / name, shallow=False)
    ]
    return sorted(rows)


def _files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; change nothing")
    check: bool = parser.parse_args().check
    try:
        load_spec()
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "siteassist"
            generate(fresh)
            described = [(Path(folder) / path.name, path) for path in (PAGE, PROGRAM)]
            describe(fresh, *(new for new, _ in described))
            rows = differences(fresh, PACKAGE)
            changed = [
                (new, old)
                for new, old in described
                if not old.exists() or new.read_bytes() != old.read_bytes()
            ]
            if rows and not check:
                # Whole, so that what is no longer generated goes as well.
                shutil.rmtree(PACKAGE, ignore_errors=True)
                shutil.copytree(fresh, PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
            rows += [f"differs   {old.relative_to(ROOT)}" for _, old in changed]
            if not check:
                for new, old in changed:
                    old.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(new, old)
    except (SpecError, GenerationError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    name = PACKAGE.relative_to(ROOT)
    if not rows:
        print(f"{name} is up to date.")
    elif check:
        print(f"{name} is out of date; run `make generate`:", *rows, sep="\n  ", file=sys.stderr)
        return 1
    else:
        print(f"{name}: {len(rows)} files changed.", *rows, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
