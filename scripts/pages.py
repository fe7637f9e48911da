"""Write the pages of ``docs/reference`` that are made from the code: commands and rules.

    make generate            write them, after the client
    make check-generated     compare them

Exit status: 0 the pages are written or up to date; 1 they are out of date (``--check``).
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from siteassist_contract.checks.behaviour.journeys import JOURNEYS
from siteassist_contract.checks.derived import DERIVED
from siteassist_contract.description import operations
from siteassist_contract.findings import SOCKET
from siteassist_contract.plan import KINDS, SOCKETS
from siteassist_contract.rules import EVERY_ANSWER, GAPS, GENERATED, REFUSALS, RULES, STREAMS, Rule

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
EVIDENCE = ROOT / "docs" / "evidence.md"
SOURCE = re.compile(r"\b(?:P\d|F-[a-z]+|[CRO]-\d+)\b")
"""An id of a page or of an entry in the evidence."""
MOST_TESTS = 3
"""Maximum number of fixed tests that the page names for a rule."""
NOTE = "`make generate` writes this page; do not edit it."


def commands() -> str:
    """Return the page of the commands and their options."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        "# Commands",
        "",
        f"Every command with its options, as `--help` prints them. {NOTE}",
        "[Exit statuses](exit-statuses.md) lists how each command ends.",
        "",
    ]
    for name, entry in sorted(project["scripts"].items()):
        # The module of the entry point imports the command only when it runs.
        module = entry.partition(":")[0]
        package = module.rpartition(".")[0]
        command = importlib.import_module(f"{package}.cli").main
        lines += described(command, context(command, name))
        below: dict[str, str] = getattr(importlib.import_module(module), "SUBCOMMANDS", {})
        for word, place in below.items():
            command = importlib.import_module(place).main
            lines += described(command, context(command, f"{name} {word}"), 3)
    lines += [
        "## `make`",
        "",
        "The targets of a checkout. `ARGS` passes options on, as in",
        "`make contract ARGS='--profile quick'`.",
        "",
        "| target | |",
        "|---|---|",
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target, purpose in re.findall(r"^([a-z-]+):.*?## (.*)$", makefile, re.MULTILINE):
        lines.append(f"| `make {target}` | {cell(purpose)} |")
    return "\n".join(lines) + "\n"


def context(command: click.Command, name: str) -> click.Context:
    """Return the context of a command, with the settings that it runs with."""
    return click.Context(command, info_name=name, **command.context_settings)


def described(command: click.Command, context: click.Context, level: int = 2) -> Iterator[str]:
    """Yield the lines about a command, and about the commands below it."""
    usage = " ".join(command.collect_usage_pieces(context))
    text = inspect.cleandoc(command.help or "").replace("\b\n", "").strip()
    summary, _, rest = text.partition("\n\n")
    yield from (f"{'#' * level} `{context.command_path}`", "", " ".join(summary.split()), "")
    yield from ("```text", f"{context.command_path} {usage}", "```", "")
    yield from ("| option | meaning |", "|---|---|")
    for parameter in command.get_params(context):
        yield from option(parameter, context)
    more = "\n\n".join(text.replace("\b\n", "").strip() for text in (rest, command.epilog or ""))
    if more.strip():
        yield from ("", "```text", more.strip(), "```")
    yield ""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            inner = click.Context(below, info_name=name, parent=context)
            yield from described(below, inner, level + 1)


def option(parameter: click.Parameter, context: click.Context) -> Iterator[str]:
    """Yield the row of an argument, or of an option that the help shows."""
    if isinstance(parameter, click.Argument):
        variable = f" Environment: `{parameter.envvar}`." if parameter.envvar else ""
        yield f"| `{parameter.make_metavar(context)}` | Required.{variable} |"
        return
    record = parameter.get_help_record(context)
    if record is None or not isinstance(parameter, click.Option):
        return
    extra = parameter.get_help_extra(context)
    meaning, *facts = (parameter.help or "").split("  [")
    meaning += "".join(f" {fact(each.rstrip(']'))}" for each in facts)
    if "envvars" in extra:
        meaning += f" Environment: `{', '.join(extra['envvars'])}`."
    if "default" in extra:
        meaning += f" Default: `{extra['default'].strip('()')}`."
    if "range" in extra:
        meaning += f" Range: `{extra['range']}`."
    yield f"| `{cell(record[0])}` | {cell(meaning)} |"


def fact(text: str) -> str:
    """Return a fact that a help text has in brackets, such as ``env: NAME``, for the page."""
    kind, _, value = text.partition(": ")
    if kind == "env":
        return f"Environment: `{value}`."
    if kind == "default":
        return f"Default: {f'`{value}`' if value[0].isdigit() else value}."
    raise SystemExit(f"a help text has [{text}], which the page of commands cannot show")


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def rules() -> str:
    """Return the page of the rules that a server must keep."""
    entries = evidence()
    lines = [
        "# Rules",
        "",
        f"The requirements that the contract tests check. {NOTE}",
        "",
        "`--only RULE` runs the tests of one rule. Each finding of a report belongs to one rule.",
        "[How the contract tests judge](../explanation/judging.md) explains the layers.",
        "",
    ]
    cited: set[str] = set()
    for name, rule in RULES.items():
        cited |= set(SOURCE.findall(rule.document))
        lines += [f"## `{name}`", "", rule.words, ""]
        lines.append(f"- Source: {linked(rule.document)}")
        lines.append(f"- Operations: {concerned(rule)}")
        lines.append(f"- Tested by: {'; '.join(tested_by(name))}")
        if rule.needs:
            lines.append(
                f"- Requires {rule.needs}. Otherwise, the rule is not tested, with the reason"
                f' "{GAPS[rule.needs]}".'
            )
        lines.append("")
    lines += ["## Sources", "", "The pages and entries of the [evidence](../evidence.md):", ""]
    lines += ["| id | |", "|---|---|"]
    lines += [f"| {linked(name)} | {said} |" for name, said in entries.items() if name in cited]
    missing = cited - entries.keys()
    if missing:
        raise SystemExit(f"rules cite entries that docs/evidence.md does not have: {missing}")
    return "\n".join(lines) + "\n"


def linked(document: str) -> str:
    """Return the source of a rule with links to the evidence."""
    return SOURCE.sub(lambda match: f"[{match[0]}](../evidence.md#{anchor(match[0])})", document)


def anchor(name: str) -> str:
    """Return the anchor of the section of the evidence that has an entry."""
    kinds = {"C": "contradictions", "R": "readings", "O": "open-questions"}
    return kinds.get(name[0], "documents")


def evidence() -> dict[str, str]:
    """Return the first words of each entry of the evidence, by its id."""
    text = EVIDENCE.read_text(encoding="utf-8")
    rows = re.findall(rf"^\| ({SOURCE.pattern}) \| ([^|]*) \|", text, re.MULTILINE)
    titles = re.findall(r"^### (C-\d+) (.*)$", text, re.MULTILINE)
    return {name: said.strip() for name, said in [*rows, *titles]}


def concerned(rule: Rule) -> str:
    """Return the operations of a rule in words."""
    names = rule.operations
    if not names:
        return "that of each generated request"
    if len(names) == len(operations()):
        return "all"
    return ", ".join(f"`{name}`" for name in names)


def tested_by(name: str) -> Iterable[str]:
    """Return the kinds of tests of a rule in words; the few that are most specific."""
    if name in EVERY_ANSWER:
        return ["every request"]
    journeys = [(each.words, each.rules) for each in JOURNEYS]
    checks = [(words, among) for words, _, among in (*DERIVED, *KINDS)]
    specific = sorted((*checks, *journeys), key=lambda check: len(check[1]))
    socket = [words for words, _, among in SOCKETS if name in among]
    found = [
        *(["invalid requests"] if name in REFUSALS else []),
        *(["streams"] if name in STREAMS else []),
        *[words for words, among in specific if name in among][:MOST_TESTS],
        *(["generated requests"] if name in GENERATED else []),
        *([f"the {SOCKET} layer ({', '.join(socket)})"] if socket else []),
    ]
    return dict.fromkeys(found)


PAGES = {"commands.md": commands, "rules.md": rules}


def main() -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; change nothing")
    check: bool = parser.parse_args().check
    outdated = []
    for name, write in PAGES.items():
        path, text = FOLDER / name, write()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            outdated.append(path.relative_to(ROOT).as_posix())
            if not check:
                path.write_text(text, encoding="utf-8")
    if outdated and check:
        print(f"Out of date; run `make generate`: {', '.join(outdated)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
