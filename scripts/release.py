"""Release the version that ``pyproject.toml`` names: check, build ``dist/``, tag.

Nothing leaves this machine: the last lines say what to push. With ``--dry-run``
only what takes no time is checked, and nothing is built or tagged.

Exit status: 0 released, or nothing speaks against it; 1 something does; 2 a tool
could not run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from scripts.publish.notes import UNRELEASED, section

ROOT = Path(__file__).resolve().parents[1]
# In this order: what fails soonest comes first.
CHECKS = ("diff", "lint", "check-generated", "test", "contract")


def run(*command: str) -> str:
    """Return what a command prints.

    Raises `subprocess.CalledProcessError` if it fails.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def objections(version: str, changelog: str, tags: list[str], changed: list[str]) -> list[str]:
    """Return what speaks against a release, as far as can be seen at once."""
    found = []
    if changed:
        found.append(f"not committed: {', '.join(changed)}")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        found.append(f"pyproject.toml: {version!r} is no version of three numbers")
    if f"v{version}" in tags:
        found.append(f"{version} has been released already; raise it in pyproject.toml")
    if not section(changelog, version):
        found.append(f"CHANGELOG.md: there is nothing below a heading '## {version}'")
    if section(changelog, UNRELEASED):
        found.append(f"CHANGELOG.md: move what is below '## {UNRELEASED}' to '## {version}'")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="look only at what takes no time")
    dry: bool = parser.parse_args(arguments).dry_run
    try:
        version = str(
            tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
                "version"
            ]
        )
        found = objections(
            version,
            (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
            run("git", "tag").splitlines(),
            [line[3:] for line in run("git", "status", "--porcelain").splitlines()],
        )
        if found:
            print(*found, sep="\n", file=sys.stderr)
            return 1
        if dry:
            print(f"Nothing speaks against {version}, as far as can be seen at once.")
            return 0
        for verb in CHECKS:
            print(f"make {verb} ...", flush=True)
            subprocess.run(["make", verb], cwd=ROOT, check=True)
        subprocess.run(
            ["make", "publish", "ARGS=--twice"],
            cwd=ROOT,
            check=True,
        )
        notes = ROOT / "dist" / "RELEASE_NOTES.md"
        # Its headings are no comments.
        run("git", "tag", "--annotate", "--cleanup=whitespace", f"--file={notes}", f"v{version}")
    except subprocess.CalledProcessError as error:
        said = f": {error.stderr.strip()}" if error.stderr else ""
        print(f"{' '.join(error.cmd)} failed{said}", file=sys.stderr)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Released {version}: dist/ is built, and the tag v{version} is set. To publish it:")
    print(f"  git push origin v{version}")
    print("and upload dist/.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
