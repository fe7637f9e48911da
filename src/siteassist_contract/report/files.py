"""The files of reports: private, whole or missing, never written through a link."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from siteassist_contract.verdict import CannotRunError, InternalError
from siteassist_spec import output

CI = "CI"
"""The environment variable that CI systems set."""


def begin(folder: Path, names: Sequence[str]) -> None:
    """Create the folders of reports, before it is known whether there will be a run.

    The reports of an earlier run stay, in case no run follows. In CI they are removed: all files in
    the folder are published as reports of this run.

    Raises `CannotRunError` if reports cannot be written.
    """
    _set_up(folder, names, remove=bool(os.environ.get(CI)))


def prepare(folder: Path, names: Sequence[str]) -> None:
    """Create the folders of reports, and remove the reports of an earlier run.

    Raises `CannotRunError` if reports cannot be written.
    """
    # Stale reports must not be mistaken for the reports of this run.
    _set_up(folder, names, remove=True)


def tell_earlier(folder: Path, names: Sequence[str]) -> None:
    """Print that reports in the folder are those of an earlier run, if there are any.

    In CI they are removed, also if a run was refused before `begin`.
    """
    if os.environ.get(CI):
        for path in (folder / name for name in names):
            if path.parent == folder or not path.parent.is_symlink():
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
    if any((folder / name).is_file() for name in names):
        click.echo(f"The reports of an earlier run are still in {folder}.", err=True)


def _set_up(folder: Path, names: Sequence[str], *, remove: bool) -> None:
    paths = [folder / name for name in names]
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.parent != folder and path.parent.is_symlink():
                raise CannotRunError(f"the folder for reports {path.parent} is a symbolic link")
            if path.is_dir() and not path.is_symlink():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if remove:
                path.unlink(missing_ok=True)
        for parent in dict.fromkeys(path.parent for path in paths):
            with tempfile.TemporaryFile(dir=parent):
                pass
    except OSError as error:
        raise CannotRunError(
            f"reports cannot be written to {folder}: {error.strerror}; choose another folder with"
            " --reports"
        ) from None


def write(path: Path, text: str, *, private: bool = True) -> None:
    """Write a file, or nothing if it cannot be written whole. A link at ``path`` is replaced.

    Only its owner can read a private file; another one keeps its permissions.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        if not private:
            Path(name).chmod(_permissions(path))
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _permissions(path: Path) -> int:
    """Return the permissions of a file, or those of a new one."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def read_json(path: Path, name: str) -> Any:
    """Return the JSON in a file that an option names.

    Raises `CannotRunError`, whose message begins with ``name``, if it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CannotRunError(f"{name} {path}: {error.strerror}") from None
    except (RecursionError, ValueError) as error:
        raise CannotRunError(f"{name} {path} is not JSON: {error}") from None


def write_all(
    writers: Mapping[Path, Callable[[Path], object]],
) -> tuple[dict[Path, str], InternalError | None]:
    """Call the writer of each path, even if another one fails.

    Returns the reason why each failed, or an empty text, and the first unexpected error.
    """
    problems, unexpected = {}, None
    for path, writer in writers.items():
        problems[path] = ""
        try:
            writer(path)
        except OSError as error:
            problems[path] = error.strerror or str(error)
        except Exception as error:  # noqa: BLE001  # returned
            unexpected = unexpected or InternalError.of(error)
            problems[path] = "internal error"
    return problems, unexpected


def tell(problems: Mapping[Path, str]) -> None:
    """Print which reports were written, and in another line which were not, and why."""
    failed = [f"{path} ({reason})" for path, reason in problems.items() if reason]
    written = [str(path) for path, reason in problems.items() if not reason]
    if failed:
        click.echo(f"Reports that could not be written: {', '.join(failed)}", err=True)
    if written:
        click.echo(f"Reports: {', '.join(written)}")


def json_text(document: Any) -> str:
    """Return ``document`` as JSON that is text on any terminal."""
    return output.printable_json(json.dumps(document, indent=1, ensure_ascii=False)) + "\n"
