"""Create a virtual environment from a lock file, without resolving any dependency.

    python3 -m scripts.environment .venv requirements/dev.txt --editable
    python3 -m scripts.environment --here requirements/dev.txt --editable

The second form installs into the environment of the interpreter that runs it.

The lock file names every package, so pip never resolves a version: the result is the
same on any later day, regardless of newer releases. This module uses the standard library
only. Any Python 3 can parse it, so that an interpreter that is too old gets a clear
message.

The second form prints nothing but errors. The first one prints its steps and, during the
installation, the number of packages, since it takes more than a minute.

Exit status: 0 the environment is ready; 2 it cannot be created, and the reason is printed
in one sentence.
"""

import argparse
import importlib.util
import locale
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)
STEP = 20
"""The number of packages after which the set-up prints a line."""


class SetUpError(Exception):
    """The environment cannot be created; the message gives the reason in one sentence."""


def shown(version: "tuple[object, ...]") -> str:
    """Format the first two numbers of a version, such as ``3.11``."""
    return ".".join(str(number) for number in version[:2])


def check_interpreter() -> None:
    """Raise `SetUpError` if this interpreter cannot create a working environment."""
    if sys.version_info < OLDEST:
        raise SetUpError(
            f"this project needs Python {shown(OLDEST)} or later, but {sys.executable} is "
            f"{shown(sys.version_info)}: select another interpreter, as in "
            "`make PYTHON=python3.12 VERB`"
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetUpError(
                f"{sys.executable} has no module `{module}`: install it (on Debian and Ubuntu with "
                "`apt-get install python3-venv`) or select another interpreter, as in "
                "`make PYTHON=python3.12 VERB`"
            )


def check_folder() -> None:
    """Raise `SetUpError` if the current locale cannot encode the path of this folder.

    An editable installation stores the path in a file. Python decodes that file with the
    locale's encoding, even in UTF-8 mode.
    """
    encoding = locale.getencoding()
    try:
        str(ROOT).encode(encoding)
    except UnicodeEncodeError:
        raise SetUpError(
            "the path of this folder contains characters that the encoding of the current locale "
            f"({encoding}) cannot represent: set LC_ALL=C.UTF-8, or move the folder"
        ) from None


def say(line: str) -> None:
    """Print a line about the progress to standard error, where it cannot mix with results."""
    print(line, file=sys.stderr, flush=True)


def say_nothing(_: str) -> None:
    """Print nothing."""


def run(command: "list[str]", purpose: str, on_line: "Callable[[str], None]" = say_nothing) -> None:
    """Run a command, and pass each line of its output to ``on_line``.

    Raises `SetUpError` with the last error of the command if it fails.
    """
    lines = []
    try:
        with subprocess.Popen(
            command,
            cwd=str(ROOT),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                if line.strip():
                    lines.append(line.strip())
                    on_line(line.strip())
    except OSError as error:
        raise SetUpError(f"{purpose}: {error}") from None
    if process.returncode:
        errors = [line for line in lines if line.lower().startswith("error")]
        reason = (errors or lines or [f"exit status {process.returncode}"])[-1]
        raise SetUpError(f"{purpose}: {reason.removeprefix('ERROR: ')}")


class Progress:
    """Lines about the progress of pip, made from its output."""

    def __init__(self, total: int, say: "Callable[[str], None]") -> None:
        """Store the number of packages in the lock file, and the function that prints."""
        self._total = total
        self._say = say
        self._found = 0

    def __call__(self, line: str) -> None:
        """Print a line after every `STEP` downloads, and one before pip unpacks them."""
        # pip says "Processing" of a local file.
        if line.startswith(("Collecting ", "Processing ")):
            self._found += 1
            if self._found % STEP == 0:
                self._say(f"  downloaded {self._found} of {self._total} packages")
        elif line.startswith("Installing collected packages"):
            self._say(f"  unpacking {self._total} packages")


def pip(python: str, *words: str) -> "list[str]":
    """Return the command line that runs pip with an interpreter."""
    return [python, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]


def install(
    python: str, lock: Path, *, editable: bool, say: "Callable[[str], None]" = say_nothing
) -> None:
    """Install exactly the packages in ``lock``, and this package if ``editable``; then check them.

    The steps are passed to ``say``. Raises `SetUpError` if a command fails, or if the lock
    lacks a package that one of its packages requires.
    """
    total = len(re.findall(r"^[a-z0-9][^\s=]*==", lock.read_text("utf-8"), re.MULTILINE))
    say(f"  downloading {total} packages")
    locked = pip(python, "install", "--no-deps", "--require-hashes", "-r", str(lock))
    run(locked, f"cannot install {lock}", Progress(total, say))
    say("  checking the packages")
    check = [python, str(Path(__file__).with_name("lock_check.py")), str(lock)]
    run(check, f"{lock} is incomplete")
    if editable:
        own = pip(
            python, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", "."
        )
        run(own, "cannot install this package")
    run(pip(python, "check"), f"{lock} is inconsistent")


def create(folder: Path, lock: Path, *, editable: bool) -> None:
    """Create the environment ``folder``, or wait if another process is creating it.

    Raises `SetUpError` if the environment cannot be created.
    """
    ready = folder / ".ready"
    with lock.open(encoding="utf-8") as file:
        begun = ready.stat().st_mtime if ready.exists() else None
        exclusively(file.fileno())
        if ready.exists() and ready.stat().st_mtime != begun:
            return
        say(f"Setting up {folder} (once; this may take two minutes) ...")
        # An environment that is only half built must not look ready to the next call.
        ready.unlink(missing_ok=True)
        venv = [sys.executable, "-m", "venv", "--clear", str(folder)]
        run(venv, f"cannot create {folder}")
        tools = "Scripts" if os.name == "nt" else "bin"
        install(str(folder / tools / "python"), lock, editable=editable, say=say)
        say(f"{folder} is ready.")
        ready.touch()


def exclusively(file: int) -> None:
    """Lock the file exclusively, waiting if necessary; do nothing where ``flock`` is missing."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX)


def main() -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python3 -m scripts.environment", description="Install the packages of a lock file."
    )
    parser.add_argument("folder", nargs="?", type=Path, help="the environment to create")
    parser.add_argument("lock", type=Path, help="a file in requirements/")
    parser.add_argument("--editable", action="store_true", help="install this package as well")
    parser.add_argument(
        "--here", action="store_true", help="install into the environment of this interpreter"
    )
    options = parser.parse_args()
    try:
        check_interpreter()
        check_folder()
        if options.here:
            install(sys.executable, options.lock, editable=options.editable)
        elif options.folder is None:
            parser.error("a folder is required unless --here is given")
        else:
            create(options.folder, options.lock, editable=options.editable)
    except (SetUpError, OSError) as error:
        print(f"The set-up cannot run: {str(error).rstrip('.')}.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
