"""Compile the files in ``requirements``, every version pinned and hashed.

``dev.txt`` comes from ``pyproject.toml``; ``bench.txt`` has what the client is
compared with besides, ``load.txt`` what the load test runs in, and of what
they share all have the same versions. Addresses of
package indexes stay out of the files. Pass ``--upgrade`` to take newer
versions than those that are pinned now.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [
    *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"),
    *("--universal", "--python-version=3.11", "--generate-hashes"),
    *("--no-emit-index-url", "--no-emit-find-links", "--no-header"),
]
DEV = [
    *("--extra=mock", "--extra=postgres", "--extra=contract", "--group=dev"),
    *("pyproject.toml", "--output-file=requirements/dev.txt"),
]
BENCH = [
    *("--extra=fast", "--constraints=requirements/dev.txt"),
    *("pyproject.toml", "bench/requirements.txt", "--output-file=requirements/bench.txt"),
]
LOAD = [
    *("--extra=load", "--group=load", "--constraints=requirements/dev.txt"),
    *("pyproject.toml", "--output-file=requirements/load.txt"),
]


def main() -> int:
    """Compile them, in this order, and return the first exit status that is not 0."""
    for words in (DEV, BENCH, LOAD):
        done = subprocess.run([*COMMAND, *words, *sys.argv[1:]], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
