"""The table of results, in Markdown that is also readable in a terminal."""

from __future__ import annotations

from scripts.languages.trial import STAGES, Outcome

HEAD = ("example", "language", "generator", *STAGES, "tools", "seconds")


def table(outcomes: list[Outcome]) -> str:
    """Return a table with a row for each outcome."""
    rows = [HEAD, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])


def _row(outcome: Outcome) -> tuple[str, ...]:
    language = outcome.language
    if outcome.skipped:
        stages = ["skipped"] * len(STAGES)
    else:
        known = {True: "yes", False: "no", None: "-"}
        stages = [known[outcome.passed.get(stage)] for stage in STAGES]
    generator = f"{language.generator} {language.version}"
    time = f"{outcome.seconds:.0f}" if outcome.passed else ""
    return (language.name, language.title, generator, *stages, outcome.tools, time)


def footnotes(outcomes: list[Outcome]) -> list[str]:
    """Return lines for each language that was skipped or that failed."""
    notes = []
    for outcome in outcomes:
        name = outcome.language.name
        if outcome.skipped:
            notes.append(f"{name} skipped: {outcome.skipped}")
        elif not outcome.green:
            stage = next(stage for stage in STAGES if not outcome.passed.get(stage))
            notes.append(f"{name}, {stage}: {outcome.problem}")
            notes.append(f"  full log: reports/languages/{name}.log")
    return notes
