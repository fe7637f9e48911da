"""Try values on generated TypeScript: a program with all of them is compiled.

    python satisfies.py TSC TYPES CASES {accepts,refuses}

TYPES is a TypeScript file that exports a type for each schema, by its name.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

OPTIONS = (
    *("--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "es2022"),
    *("--moduleResolution", "bundler", "--lib", "es2022,dom,dom.iterable"),
)
ERROR = re.compile(r"\((\d+),\d+\): error (.*)")
EXPECTED = "// @ts-expect-error"


def program(module: str, cases: list[Any], *, refused: bool) -> str:
    """Return the program: a statement in one line for each value, in the order of the cases."""
    lines = [f'import type * as types from "{module}";']
    for case in cases:
        value = json.dumps(case["value"], ensure_ascii=False)
        statement = f"({value}) satisfies types.{case['schema']};"
        lines += [EXPECTED, statement] if refused else [statement]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    tsc, types, path, stage = arguments
    refused = stage == "refuses"
    cases = [
        case
        for case in json.loads(Path(path).read_text(encoding="utf-8"))["cases"]
        if case["media"] == "application/json" and bool(case["flaw"]) == refused
    ]
    source = Path(types).with_name(f"{stage}.ts")
    module = "./" + Path(types).name.removesuffix(".ts").removesuffix(".d")
    source.write_text(program(module, cases, refused=refused), encoding="utf-8")
    command = [tsc, *OPTIONS, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for number, error in ERROR.findall(done.stdout):
        # The first line is the import; a refused value has a line of its own before it.
        index = (int(number) - 2) // (2 if refused else 1)
        print(f"wrong: {cases[index]['name'] if index >= 0 else types}: {error}")
    if done.returncode and not ERROR.search(done.stdout):
        print(f"wrong: {done.stdout.strip() or done.stderr.strip()}")
    print(f"tried {len(cases)}")
    return 1 if done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
