"""The trial of a tool on a published form: each stage is a command that could fail.

A command that tries values prints ``wrong: …`` for each value that the tool judges wrongly, and
``tried N`` at its end.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.consumers.catalogue import OPENAPI_3_0, OPENAPI_3_1, ROOT, Consumer, Flaw, Kit
from scripts.languages.trial import STAGES as LANGUAGE_STAGES
from scripts.languages.trial import Outcome as LanguageOutcome
from scripts.languages.trial import StepFailedError, missing_programs, program_versions, run

STAGES = ("reads", "generates", "compiles", "accepts", "refuses", "talks")
"""The stages, in order. The results of the first three are needed by the stages after them."""

NEEDED = STAGES[:3]
WRONG = "wrong: "
TRIED = re.compile(r"^tried (\d+)$", re.MULTILINE)
FORMS_OF_LANGUAGES = {"": OPENAPI_3_1, "openapi-3.0": OPENAPI_3_0}
CHECKED = ("accepts", "refuses")
"""The stages that try values, and must say how many."""


@dataclass
class Result:
    """The outcome of a stage: the number of tried values, and the problems by their owner."""

    tried: int = 0
    ours: list[str] = field(default_factory=list[str])
    theirs: list[str] = field(default_factory=list[str])

    @property
    def green(self) -> bool:
        """Whether the stage has no problem."""
        return not self.ours and not self.theirs


@dataclass
class Outcome:
    """The outcome of a trial.

    ``stages`` are those that the trial has. ``skipped`` names the missing programs, or is empty.
    ``results`` has the stages that were reached, and ``flaws`` are the known ones.
    """

    name: str
    label: str
    version: str
    form: str
    stages: tuple[str, ...]
    tools: str = ""
    skipped: str = ""
    results: dict[str, Result] = field(default_factory=dict[str, Result])
    flaws: tuple[Flaw, ...] = ()

    @property
    def ours(self) -> list[str]:
        """The problems that are not known as faults of the tool, with their stage."""
        return [f"{stage}: {one}" for stage, result in self.results.items() for one in result.ours]


def outcome_of(consumer: Consumer, skipped: str = "", failed: str = "") -> Outcome:
    """Return the outcome of a consumer before its trial.

    ``skipped`` names the missing programs, and ``failed`` why its tools could not be fetched.
    """
    stages = tuple(stage for stage in STAGES if stage in consumer.stages)
    label, form = consumer.label or consumer.tool, consumer.form
    outcome = Outcome(
        consumer.name, label, consumer.version, form, stages, skipped=skipped, flaws=consumer.flaws
    )
    if failed:
        outcome.results[stages[0]] = Result(ours=[f"the set-up failed: {failed}"])
    return outcome


def of_language(outcome: LanguageOutcome) -> Outcome:
    """Return the outcome of a language, whose stages have other names."""
    names: dict[str, str] = dict(
        zip(LANGUAGE_STAGES, ("generates", "compiles", "talks"), strict=True)
    )
    language = outcome.language
    results = {
        names[stage]: Result(ours=[] if passed else [outcome.problem])
        for stage, passed in outcome.passed.items()
    }
    return Outcome(
        language.name,
        f"{language.generator}, {language.title}",
        language.version,
        FORMS_OF_LANGUAGES.get(language.form, language.form),
        tuple(names.values()),
        outcome.tools,
        outcome.skipped,
        results,
    )


def set_up(kit: Kit, source: Path, folder: Path, reports: Path, values: Mapping[str, str]) -> str:
    """Copy the files of a kit from ``source`` and fetch its tools; return the missing programs.

    Raises `StepFailedError` or `OSError` if the tools cannot be fetched.
    """
    absent = missing_programs(kit.programs)
    if absent:
        return f"{', '.join(absent)} not installed"
    if kit.folder:
        # Earlier downloads stay in the folder.
        made = shutil.ignore_patterns("node_modules", "tools", "__pycache__")
        shutil.copytree(source, folder, ignore=made, dirs_exist_ok=True)
    if is_set_up(kit, folder):
        return ""
    with (reports / f"{kit.name}-set-up.log").open("w+", encoding="utf-8") as log:
        for command in kit.set_up:
            run(command.format_map(values), folder, os.environ, log)
    return ""


def is_set_up(kit: Kit, folder: Path) -> bool:
    """Whether the tools in ``folder`` are those that the manifest of the kit pins."""
    path = folder / kit.made
    manifest = ROOT / kit.manifest
    return path.is_file() and path.stat().st_mtime >= manifest.stat().st_mtime


def try_consumer(
    consumer: Consumer, folder: Path, reports: Path, values: Mapping[str, str]
) -> Outcome:
    """Run the stages of a consumer in the ``folder`` of its kit, and return the outcome.

    ``values`` are those that the commands contain in braces. The log and the output of the tool
    are written to ``reports``.
    """
    out = reports / "out" / consumer.name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    values = {**values, "out": str(out)}
    outcome = outcome_of(consumer)
    outcome.tools = program_versions(consumer.kit.programs)
    with (reports / f"{consumer.name}.log").open("w+", encoding="utf-8") as log:
        for stage in (stage for stage in STAGES if stage in consumer.stages):
            printed, problems = "", list[str]()
            try:
                for command in consumer.stages[stage]:
                    printed = run(command.format_map(values), folder, os.environ, log)
            except StepFailedError as failure:
                printed = failure.printed
                problems = problems_in(printed) or [str(failure)]
            except OSError as failure:
                problems = [str(failure)]
            found = TRIED.search(printed)
            tried = int(found[1]) if found else 0
            if stage in CHECKED and not tried and not problems:
                problems = ["no value was tried"]
            outcome.results[stage] = judge(consumer, stage, tried, problems)
            if stage in NEEDED and problems:
                break
    return outcome


def problems_in(printed: str) -> list[str]:
    """Return the values that the output of a command reports as judged wrongly."""
    lines = printed.splitlines()
    return [line.removeprefix(WRONG) for line in lines if line.startswith(WRONG)]


def judge(consumer: Consumer, stage: str, tried: int, problems: list[str]) -> Result:
    """Return the result of a stage: each problem has an owner.

    A problem is the tool's if the catalogue knows it. Each flaw in the catalogue must occur:
    otherwise the tool was mended, and the catalogue is wrong.
    """
    result = Result(tried)
    expected = [flaw for flaw in consumer.flaws if flaw.stage == stage]
    occurred = set()
    for problem in problems:
        known = [flaw for flaw in expected if re.search(flaw.pattern, problem)]
        occurred.update(known)
        (result.theirs if known else result.ours).append(problem)
    result.ours += [
        f"the known flaw {flaw.pattern!r} does not occur; remove it from the catalogue"
        for flaw in expected
        # A stage that broke off has shown nothing.
        if flaw not in occurred and (tried or not problems)
    ]
    return result
