"""Compile ``requirements/dev.txt`` from ``pyproject.toml``, every version pinned and hashed.

Addresses of package indexes stay out of the file. Pass ``--upgrade`` to take
newer versions than those that are pinned now.
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
    *("--extra=mock", "--extra=contract", "--group=dev"),
    *("pyproject.toml", "--output-file=requirements/dev.txt"),
]

if __name__ == "__main__":
    sys.exit(subprocess.run([*COMMAND, *sys.argv[1:]], cwd=ROOT, check=False).returncode)
