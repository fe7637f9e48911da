"""Build ``dist/``: all files needed to use the API without this repository.

With ``--twice``, build a second time and compare the two builds.

Exit status: 0 the files are built; 1 a check failed or the two builds differ; 2 the
build failed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

from openapi_spec_validator import (
    OpenAPIV30SpecValidator,
    OpenAPIV31SpecValidator,
    OpenAPIV32SpecValidator,
)

from scripts.publish.collection import as_collection
from scripts.publish.documents import as_json, as_yaml
from scripts.publish.node import MissingToolError, node_tool
from scripts.publish.notes import release_notes
from scripts.publish.packages import ROOT, PublishError, build_packages, last_change
from scripts.publish.reference import as_folder
from scripts.publish.socket_reference import FOLDER
from scripts.publish.socket_reference import as_folder as socket_folder
from scripts.publish.typescript import NAME, types_package
from siteassist_spec import SPEC_PATH, Document, SpecError, load_spec
from siteassist_spec.transform import dereference, to_asyncapi, to_openapi_3_0, to_openapi_3_2

DIST = ROOT / "dist"
JOURNEYS = ROOT / "siteassist.arazzo.yaml"
ASYNCAPI = "asyncapi.yaml"
SUMS = "SHA256SUMS"
LINTED = {
    "openapi-3.0.3.yaml": "redocly-3.0.yaml",
    "openapi-3.2.0.yaml": "redocly-3.2.yaml",
    JOURNEYS.name: "redocly.yaml",
}
"""The files that Redocly checks, each with its configuration.

The dereferenced description is left out: without references, all of its components
would be reported as unused.
"""


def documents(document: Document) -> dict[str, bytes]:
    """Return the content of the files derived from the description, by file name.

    Raises `SpecError` or `LookupError` if a construct cannot be published.
    """
    spec = document.raw
    older, newer = to_openapi_3_0(document), to_openapi_3_2(document)
    return {
        "openapi.yaml": SPEC_PATH.read_bytes(),
        "openapi.json": as_json(spec),
        "openapi.dereferenced.json": as_json(dereference(document)),
        "openapi-3.0.3.yaml": as_yaml(older),
        "openapi-3.0.3.json": as_json(older),
        "openapi-3.2.0.yaml": as_yaml(newer),
        "openapi-3.2.0.json": as_json(newer),
        ASYNCAPI: as_yaml(to_asyncapi(document)),
        JOURNEYS.name: JOURNEYS.read_bytes(),
        "siteassist.postman_collection.json": as_json(as_collection(document)),
        **{f"reference/{name}": content for name, content in as_folder(spec).items()},
    }


def build(target: Path) -> None:
    """Create the folder ``target`` and write all files into it.

    Without the tools of Node.js, the types for npm and the reference of the socket are left out.

    Raises the exceptions of `documents`, `build_packages`, `types_package` and `socket_folder`.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    document = Document.load()
    files = documents(document)
    files["RELEASE_NOTES.md"] = release_notes(changelog, version).encode()
    with suppress(MissingToolError):
        made = socket_folder(files[ASYNCAPI], document.raw["info"]["title"])
        files.update({f"{FOLDER}/{name}": content for name, content in made.items()})
    for name, content in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    epoch = last_change()
    build_packages(target, epoch)
    with suppress(MissingToolError):
        types = types_package(document, version, epoch)
        (target / f"{NAME}-{version}.tgz").write_bytes(types)
    rows = [f"{digest}  {name}\n" for name, digest in sorted(digests(target).items())]
    (target / SUMS).write_text("".join(rows))


def make_readable(folder: Path) -> None:
    """Let every user read ``folder`` and its files, for each umask."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 digest of every file below ``folder``, by relative path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def problems(folder: Path) -> list[str]:
    """Return the errors that the validators find, one validator per version of OpenAPI.

    The dereferenced description is not validated: its content is the same as that of
    ``openapi.yaml``, and its validation takes many times as long.
    """
    return [
        f"{name}: {error.message}"
        for name, validator in (
            ("openapi.yaml", OpenAPIV31SpecValidator),
            ("openapi-3.0.3.yaml", OpenAPIV30SpecValidator),
            ("openapi-3.2.0.yaml", OpenAPIV32SpecValidator),
        )
        for error in validator(load_spec(folder / name)).iter_errors()
    ]


def lint(folder: Path) -> list[str]:
    """Return the problems that Redocly and AsyncAPI's parser find.

    Without Node.js, print the checks that are left out.
    """
    try:
        redocly = node_tool(ROOT, "redocly")
    except MissingToolError as error:
        names = ", ".join((*LINTED, ASYNCAPI))
        left_out = f"{NAME} for npm, {FOLDER}/, and the checks of {names} on Node.js"
        print(f"Skipped: {left_out} ({error}).")
        return []
    node = ROOT / "tools" / "node"
    commands = {
        name: [str(redocly), "lint", f"--config={node / 'lint' / rules}"]
        for name, rules in LINTED.items()
    }
    commands[ASYNCAPI] = ["node", str(node / "asyncapi.mjs")]
    wrong = []
    for name, command in commands.items():
        done = subprocess.run(
            [*command, folder / name],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            wrong.append(f"{name}: {done.stdout.strip()}\n{done.stderr.strip()}")
    return wrong


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--twice", action="store_true", help="build twice and compare the results")
    twice: bool = parser.parse_args().twice
    try:
        with tempfile.TemporaryDirectory() as folder:
            first = Path(folder) / "first"
            build(first)
            wrong = problems(first) + lint(first)
            if twice:
                second = Path(folder) / "second"
                build(second)
                found, again = digests(first), digests(second)
                wrong += [
                    f"{name}: the second build differs"
                    for name in sorted(found | again)
                    if found.get(name) != again.get(name)
                ]
            if wrong:
                print(*wrong, sep="\n", file=sys.stderr)
                return 1
            shutil.rmtree(DIST, ignore_errors=True)
            shutil.copytree(first, DIST)
            make_readable(DIST)
    except (SpecError, LookupError, PublishError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    for name in sorted(path.name + ("/" if path.is_dir() else "") for path in DIST.iterdir()):
        print(f"dist/{name}")
    if twice:
        print("A second build produced identical files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
