"""Try one language: generate a client, compile it, and let it make a visitor's journey."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from scripts.languages.catalogue import CLIENT, DESCRIPTION, Language
from scripts.languages.descriptions import description_for
from siteassist_spec import Document

STAGES = ("generates", "compiles", "journey passes")
"""What a language is asked to do, in this order; each rests on the one before."""

MISSING = "missing CONVERSATION_NOT_FOUND"
JOURNEY = ("visitor", "started", "answered", "listed", "closed", "missing")
STEP_LIMIT = 1800.0
"""After so many seconds a command has failed: more than a first build takes on a slow machine."""

MADE = (CLIENT, DESCRIPTION, "dist", "node_modules", "target", "tools")
"""What somebody who tries an example in its own folder leaves there."""

ERROR = re.compile(r"\berror\b|\[ERROR\]|panicked|exception", re.IGNORECASE)
# Java and Kotlin say first that there are errors, and then which.
HEADING = re.compile(r"COMPILATION ERROR|warnings found and -Werror specified")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class StepFailedError(Exception):
    """A command ended badly; the message is its first line that speaks of an error."""


@dataclass
class Outcome:
    """What became of a language.

    ``skipped`` says what the machine lacks, if it lacks something. ``passed`` has a truth value
    for each stage that was reached. ``problem`` is the first error, ``seconds`` the time it took.
    """

    language: Language
    tools: str = ""
    skipped: str = ""
    passed: dict[str, bool] = field(default_factory=dict[str, bool])
    problem: str = ""
    seconds: float = 0.0

    @property
    def green(self) -> bool:
        """Whether every stage was passed."""
        return all(self.passed.get(stage) for stage in STAGES)


def missing_tools(language: Language) -> list[str]:
    """Return those programs that ``language`` needs and this machine lacks, or else libraries."""
    programs = [program for program in language.programs if shutil.which(program) is None]
    return programs or [
        library
        for library, command in language.libraries.items()
        if subprocess.run(shlex.split(command), capture_output=True, check=False).returncode != 0
    ]


def tool_versions(language: Language) -> str:
    """Return the versions of the programs that ``language`` needs, as they tell them."""
    told = []
    for program, option in language.programs.items():
        done = subprocess.run([program, option], capture_output=True, text=True, check=False)
        found = re.search(r"\d+(\.\d+)+", COLOUR.sub("", done.stdout + done.stderr))
        told.append(f"{program} {found[0]}" if found else program)
    return ", ".join(told)


def try_language(
    language: Language, description: Document, url: str, examples: Path, reports: Path
) -> Outcome:
    """Return what becomes of ``language`` with ``description`` and a mock at ``url``.

    The program is taken from ``examples``; it is built in a folder of its own in ``reports``,
    which keeps what was fetched for the next time. Beside that folder is the log.
    """
    absent = missing_tools(language)
    if absent:
        return Outcome(language, skipped=f"no {' and no '.join(absent)} on this machine")
    outcome = Outcome(language, tools=tool_versions(language))
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
    """Put the example and the description into ``folder``, without a client of an earlier time."""
    shutil.rmtree(folder / CLIENT, ignore_errors=True)
    made = shutil.ignore_patterns(*MADE)
    shutil.copytree(examples / language.name, folder, ignore=made, dirs_exist_ok=True)
    (folder / CLIENT).mkdir()
    form = description_for(language.form, description)
    (folder / DESCRIPTION).write_text(json.dumps(form, indent=2) + "\n", encoding="utf-8")


def run(command: str, folder: Path, environment: Mapping[str, str], log: TextIO) -> str:
    """Run ``command`` in ``folder``, and return what it printed, which ``log`` gets as well.

    Raises `StepFailedError` if it fails, or takes longer than `STEP_LIMIT`.
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
            status = f"ended after {STEP_LIMIT:.0f} s"
        finally:
            # Daemons that compilers leave behind would outlive us.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    log.seek(start)
    printed = log.read()
    if status != 0:
        raise StepFailedError(first_error(printed) or f"{command}: {status}")
    return printed


def first_error(printed: str) -> str:
    """Return the first line that speaks of an error, or else the last line that says anything."""
    lines = [line.strip() for line in COLOUR.sub("", printed).splitlines() if line.strip()]
    return next(
        (line for line in lines if ERROR.search(line) and not HEADING.search(line)),
        lines[-1] if lines else "",
    )


def check_journey(printed: str) -> None:
    """Raise `StepFailedError` unless ``printed`` tells of the whole journey, in order."""
    lines = COLOUR.sub("", printed).splitlines()
    said = [line for line in lines if line.partition(" ")[0] in JOURNEY]
    if list(JOURNEY) != [line.partition(" ")[0] for line in said]:
        raise StepFailedError(f"told {len(said)} of {len(JOURNEY)} steps: {'; '.join(said)}")
    told = {word: rest for word, _, rest in (line.partition(" ") for line in said)}
    if told["listed"] != told["started"]:
        raise StepFailedError(f"listed {told['listed']}, but started {told['started']}")
    if said[-1] != MISSING:
        raise StepFailedError(f"{said[-1]}: expected {MISSING}")
