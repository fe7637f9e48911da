"""The trial of a language: generate a client, compile it, and make a visitor's journey."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from scripts.languages.catalogue import CLIENT, DESCRIPTION, Language
from scripts.languages.descriptions import description_for
from siteassist_spec import Document

STAGES = ("generates", "compiles", "journey passes")
"""The stages of a trial, in order. Each stage needs the result of the previous one."""

MISSING = "missing CONVERSATION_NOT_FOUND"
JOURNEY = ("visitor", "started", "answered", "listed", "closed", "missing")
STEP_LIMIT = 1800.0
"""The time limit of a command, in seconds. A first build on a slow machine takes less."""

MADE = (CLIENT, DESCRIPTION, "dist", "node_modules", "target", "tools")
"""Files that running an example in its own folder creates; they are not copied."""

ERROR = re.compile(r"\berror\b|\[ERROR\]|panicked|exception", re.IGNORECASE)
# Java and Kotlin print a heading such as this before the first error.
HEADING = re.compile(r"COMPILATION ERROR|warnings found and -Werror specified")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class StepFailedError(Exception):
    """A command failed; the message is the first line of its output that mentions an error."""

    def __init__(self, message: str, printed: str = "") -> None:
        """Take the message, and all that the command printed."""
        super().__init__(message)
        self.printed = printed


@dataclass
class Outcome:
    """The outcome of a trial.

    ``skipped`` names the missing tools, or is empty if the trial ran. ``passed`` maps each stage
    that was reached to whether it passed. ``problem`` is the first error, ``seconds`` the
    duration.
    """

    language: Language
    tools: str = ""
    skipped: str = ""
    passed: dict[str, bool] = field(default_factory=dict[str, bool])
    problem: str = ""
    seconds: float = 0.0

    @property
    def green(self) -> bool:
        """Whether every stage passed."""
        return all(self.passed.get(stage) for stage in STAGES)


def missing_programs(programs: Iterable[str]) -> list[str]:
    """Return the programs that are not installed."""
    return [program for program in programs if shutil.which(program) is None]


def missing_tools(language: Language) -> list[str]:
    """Return the required programs that are missing, or, if none is, the missing libraries."""
    return missing_programs(language.programs) or [
        library
        for library, command in language.libraries.items()
        if subprocess.run(shlex.split(command), capture_output=True, check=False).returncode != 0
    ]


def program_versions(programs: Mapping[str, str]) -> str:
    """Return programs with the versions that they print; ``programs`` has the options for it."""
    versions = []
    for program, option in programs.items():
        done = subprocess.run([program, option], capture_output=True, text=True, check=False)
        found = re.search(r"\d+(\.\d+)+", COLOUR.sub("", done.stdout + done.stderr))
        versions.append(f"{program} {found[0]}" if found else program)
    return ", ".join(versions)


def try_language(
    language: Language, description: Document, url: str, examples: Path, reports: Path
) -> Outcome:
    """Try ``language`` with ``description`` and the mock at ``url``, and return the outcome.

    The program is copied from ``examples`` to a folder in ``reports`` and built there. That folder
    keeps the downloaded dependencies for the next trial. The log is written next to it.
    """
    absent = missing_tools(language)
    if absent:
        return Outcome(language, skipped=f"{', '.join(absent)} not installed")
    outcome = Outcome(language, tools=program_versions(language.programs))
    folder = reports / language.name
    began = time.monotonic()
    with (reports / f"{language.name}.log").open("w+", encoding="utf-8") as log:
        stage = STAGES[0]
        try:
            lay_out(language, description, examples, folder)
            environment = {**os.environ, **language.environment, "SITEASSIST_BASE_URL": url}
            for command in (*language.set_up, *language.generate):
                run(command, folder, environment, log)
            outcome.passed[stage] = True
            stage = STAGES[1]
            for command in language.compile:
                run(command, folder, environment, log)
            outcome.passed[stage] = True
            stage = STAGES[2]
            check_journey(run(language.run, folder, environment, log))
            outcome.passed[stage] = True
        except (StepFailedError, OSError) as failure:
            outcome.passed[stage] = False
            outcome.problem = str(failure)
    outcome.seconds = time.monotonic() - began
    return outcome


def lay_out(language: Language, description: Document, examples: Path, folder: Path) -> None:
    """Copy the example and the description into ``folder``, and remove an earlier client."""
    shutil.rmtree(folder / CLIENT, ignore_errors=True)
    made = shutil.ignore_patterns(*MADE)
    shutil.copytree(examples / language.folder, folder, ignore=made, dirs_exist_ok=True)
    (folder / CLIENT).mkdir()
    form = description_for(language.form, description)
    (folder / DESCRIPTION).write_text(json.dumps(form, indent=2) + "\n", encoding="utf-8")


def run(command: str, folder: Path, environment: Mapping[str, str], log: TextIO) -> str:
    """Run ``command`` in ``folder``, write its output to ``log``, and return the output.

    Raises `StepFailedError` if the command fails or takes longer than `STEP_LIMIT`.
    """
    log.write(f"$ {command}\n")
    log.flush()
    start = log.tell()
    with subprocess.Popen(
        shlex.split(command),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            status: int | str = process.wait(STEP_LIMIT)
        except subprocess.TimeoutExpired:
            status = f"timed out after {STEP_LIMIT:.0f} s"
        finally:
            # Compilers may leave daemons behind, which would outlive this process.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    log.seek(start)
    printed = log.read()
    if status != 0:
        raise StepFailedError(first_error(printed) or f"{command}: {status}", printed)
    return printed


def first_error(printed: str) -> str:
    """Return the first line that mentions an error, otherwise the last line that is not empty."""
    lines = [line.strip() for line in COLOUR.sub("", printed).splitlines() if line.strip()]
    return next(
        (line for line in lines if ERROR.search(line) and not HEADING.search(line)),
        lines[-1] if lines else "",
    )


def check_journey(printed: str) -> None:
    """Raise `StepFailedError` unless ``printed`` reports every step of the journey, in order."""
    lines = COLOUR.sub("", printed).splitlines()
    steps = [line for line in lines if line.partition(" ")[0] in JOURNEY]
    if list(JOURNEY) != [line.partition(" ")[0] for line in steps]:
        raise StepFailedError(f"reported {len(steps)} of {len(JOURNEY)} steps: {'; '.join(steps)}")
    values = {word: rest for word, _, rest in (line.partition(" ") for line in steps)}
    if values["listed"] != values["started"]:
        raise StepFailedError(f"listed {values['listed']}, but started {values['started']}")
    if steps[-1] != MISSING:
        raise StepFailedError(f"{steps[-1]}: expected {MISSING}")
