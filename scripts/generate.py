"""Generate the client package from ``openapi.yaml``, or check that it is up to date.

Exit status: 0 done or up to date, 1 out of date (``--check``), 2 the generator
could not do its work.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from siteassist_spec import SPEC_PATH, SpecError, load_spec

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "generator-config.yml"
TEMPLATES = ROOT / "templates"
PACKAGE = ROOT / "generated" / "siteassist"


class GenerationError(Exception):
    """The generator failed; the message is what to tell the user."""


def generate(target: Path) -> None:
    """Write the package to ``target``, which must not exist.

    Raises `GenerationError` if the generator fails or warns.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    tools = Path(sys.executable).parent
    command = [
        str(tools / "openapi-python-client"),
        "generate",
        f"--path={SPEC_PATH}",
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
            rows = differences(fresh, PACKAGE)
            if rows and not check:
                # Whole, so that what is no longer generated goes as well.
                shutil.rmtree(PACKAGE, ignore_errors=True)
                shutil.copytree(fresh, PACKAGE)
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
