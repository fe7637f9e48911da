"""Release the version in ``pyproject.toml``: run the checks, build ``dist/`` and tag.

Nothing is published: the last lines of the output give the commands to do so. With
``--dry-run``, only the quick checks run, and nothing is built or tagged.

Exit status: 0 released, or no objection with ``--dry-run``; 1 a check failed; 2 a tool
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
ARGUMENTS = {"test": ("ARGS=--exhaustive",)}
"""The arguments of checks that are more thorough for a release than every day."""
# The quickest come first. `lint-spec` also installs the tool that builds the types for npm.
CHECKS = ("diff", "lint", "lint-spec", "check-generated", "test", "contract")
BRANCH = "main"
"""The branch that releases are made from."""


def run(*command: str) -> str:
    """Run a command and return its output.

    Raises `subprocess.CalledProcessError` if it fails.
    """
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def objections(
    version: str, changelog: str, tags: list[str], changed: list[str], branch: str
) -> list[str]:
    """Return the objections to a release that can be found without running anything.

    ``branch`` is empty if the HEAD is detached.
    """
    found = []
    if branch != BRANCH:
        where = f"on the branch {branch!r}" if branch else "detached"
        found.append(f"the HEAD is {where}: switch to {BRANCH!r}, from which releases are made")
    if changed:
        found.append(f"uncommitted changes: {', '.join(changed)}")
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        found.append(f"pyproject.toml: invalid version {version!r}: expected three numbers")
    if f"v{version}" in tags:
        found.append(f"pyproject.toml: version {version} has already been released; increase it")
    if not section(changelog, version):
        found.append(f"CHANGELOG.md: no entries under a heading '## {version}'")
    if section(changelog, UNRELEASED):
        found.append(f"CHANGELOG.md: move the entries under '## {UNRELEASED}' to '## {version}'")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dry-run", action="store_true", help="run the quick checks only; build nothing"
    )
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
            run("git", "branch", "--show-current").strip(),
        )
        if found:
            print(*found, sep="\n", file=sys.stderr)
            return 1
        if dry:
            print(f"The quick checks found no objection to releasing {version}.")
            return 0
        for verb in CHECKS:
            words = ["make", verb, *ARGUMENTS.get(verb, ())]
            print(f"{' '.join(words)} ...", flush=True)
            subprocess.run(words, cwd=ROOT, check=True)
        subprocess.run(
            ["make", "publish", "ARGS=--twice"],
            cwd=ROOT,
            check=True,
        )
        notes = ROOT / "dist" / "RELEASE_NOTES.md"
        # The default clean-up would remove the headings of the notes as comments.
        run("git", "tag", "--annotate", "--cleanup=whitespace", f"--file={notes}", f"v{version}")
    except subprocess.CalledProcessError as error:
        said = f": {error.stderr.strip()}" if error.stderr else ""
        print(f"{' '.join(error.cmd)} failed{said}", file=sys.stderr)
        return 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"Released {version}: dist/ is built and the tag v{version} is created. To publish it, run"
    )
    print(f"  git push origin v{version}")
    print("and upload dist/.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
