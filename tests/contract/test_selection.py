"""The options that narrow a run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_contract import plan, run, selection
from siteassist_contract.description import operations
from siteassist_contract.findings import BEHAVIOUR, ERRORS, LAYERS, SHAPES, STREAMS
from siteassist_contract.profiles import PROFILES
from siteassist_contract.rules import RULES
from siteassist_contract.selection import Selection
from siteassist_contract.verdict import CannotRunError
from tests.contract.conftest import NoShapes
from tests.contract.test_cli import breaks_the_search
from tests.values import API_KEY as KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from siteassist_contract.checks.context import CheckContext
    from tests.contract.conftest import Command, InProcess, Loopback

VIOLATION = {"rule": "me", "operation": "getMe"}


def refused(**given: Any) -> str:
    """Return why a selection is refused, which is one line."""
    with pytest.raises(CannotRunError) as error:
        selection.read(given.get("only", ()), (), given.get("last"))
    line = str(error.value)
    assert "\n" not in line
    return line


def test_empty_selection_selects_everything() -> None:
    """Without an option a run is whole."""
    found = selection.read((), (), None)
    assert Selection() == found
    assert all(found.selects(rule, name) for rule in RULES for name in operations())
    assert all(found.needs(layer, ["answered"]) for layer in LAYERS)
    assert not found.is_sparing


def test_unknown_name_is_refused() -> None:
    """The message is short; names that are nearly the same are suggested."""
    assert "--only getme: unknown rule or operation" == refused(only=["me", "getme"])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("getme", "getMe"),
        ("isolaton", "isolation"),
        ("stream_end", "stream-end"),
        ("sendMesage", "sendMessage"),
        ("zzzz", ""),
    ],
)
def test_unknown_name_is_explained_in_80_columns(name: str, meant: str, command: Command) -> None:
    """The rules and the operations come before the last line, and the nearest names."""
    result = command("http://127.0.0.1:9/v2", "--api-key", KEY, "--only", name)
    assert (2, "") == (result.exit_code, result.stdout)
    lines = result.stderr.splitlines()
    assert max(map(len, lines)) <= 80
    assert f"The tests cannot run: --only {name}: unknown rule or operation" == lines[-1]
    for each in (*RULES, *operations()):
        assert each in result.stderr
    asked = [line for line in lines if line.startswith("Did you mean ")]
    assert bool(meant) == bool(asked)
    assert meant in "".join(asked)


def test_key_of_a_violation_selects_its_rule_and_its_operation() -> None:
    """The key that a report prints is understood, with the place at its end."""
    for key in ("getMessages isolation", "getMessages isolation of a place"):
        found = selection.read([key], [], None)
        assert f"--only '{key}'" == found.options
        pairs = {(r, n) for r in RULES for n in operations() if found.selects(r, n)}
        assert {("isolation", "getMessages")} == pairs
    # In another order it is no key.
    assert "isolation getMessages: unknown" in refused(only=["isolation getMessages"])


def test_rules_and_operations_select_their_pairs() -> None:
    """Rules and operations together select the rules on the operations."""
    found = selection.read(["isolation", "getMessages"], [ERRORS], None)
    assert "--only isolation --only getMessages --layer errors" == found.options
    pairs = {(r, n) for r in RULES for n in operations() if found.selects(r, n)}
    assert {("isolation", "getMessages")} == pairs


def test_selection_without_a_test_is_refused() -> None:
    """A rule that does not apply to the selected operations is an error."""
    line = refused(only=["isolation", "init"])
    assert "--only isolation --only init selects no test" == line


@pytest.mark.parametrize(
    ("layer", "rules", "operation", "needed"),
    [
        (ERRORS, ["me"], "", True),
        (ERRORS, ["me"], "getMe", True),
        (ERRORS, ["me"], "init", False),
        (ERRORS, ["isolation"], "", False),
        (BEHAVIOUR, ["me"], "", False),
    ],
)
def test_step_is_needed_for_its_rules(
    layer: str, rules: list[str], operation: str, needed: bool
) -> None:
    """A step is needed if its layer is selected and it can test a selected rule."""
    assert needed == selection.read(["me"], [ERRORS], None).needs(layer, rules, operation)


def test_last_failures_are_selected(tmp_path: Path) -> None:
    """The rules and operations of the violations of a report are selected, and no others."""
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"violations": [VIOLATION, VIOLATION]}))
    found = selection.read((), (), path)
    pairs = {(r, n) for r in RULES for n in operations() if found.selects(r, n)}
    assert {("me", "getMe")} == pairs
    assert f"--last-failed {path}" == found.options
    # The report of an earlier version names no steps: any may have found the violation.
    assert found.repeats((ERRORS, "any"), ["me"])


def test_last_failures_are_selected_with_their_steps(tmp_path: Path) -> None:
    """A failure is repeated by each step that found it, with the seed of that run."""
    path = tmp_path / "my reports" / "summary.json"
    path.parent.mkdir()
    places = [(BEHAVIOUR, "lists"), (SHAPES, "made-up requests")]
    violations = [VIOLATION | {"layer": layer, "step": step} for layer, step in places]
    path.write_text(json.dumps({"violations": violations, "seed": 7}))
    found = selection.read((), (), path)
    assert [True, True] == [found.repeats(place, ["me"]) for place in places]
    assert not found.repeats((BEHAVIOUR, "one conversation"), ["me"])
    assert not found.repeats((BEHAVIOUR, "lists"), ["me"], "init")
    assert (7, "", False) == (found.seed, found.others, found.is_sparing)
    assert ["--last-failed", str(path)] == shlex.split(found.options)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, ": No such file or directory"),
        ("{", " is not JSON: "),
        ("\xff", " is not JSON: "),
        (100_000 * "[", " is not JSON: "),
        ("[]", " is not the summary.json of an earlier run"),
        ("{}", " is not the summary.json of an earlier run"),
        ('{"violations": {}}', " is not the summary.json of an earlier run"),
        ('{"violations": 1}', " is not the summary.json of an earlier run"),
        ('{"violations": [{"rule": "me"}]}', " is not the summary.json of an earlier run"),
        ('{"violations": ["me"]}', " is not the summary.json of an earlier run"),
        ('{"violations": []}', " contains no violation to test again"),
    ],
)
def test_unusable_report_is_refused(content: str | None, problem: str, tmp_path: Path) -> None:
    """A missing, broken, foreign or empty report is one sentence."""
    path = tmp_path / "summary.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    assert refused(last=path).startswith(f"--last-failed {path}{problem}")


def summary() -> dict[str, Any]:
    """Return the summary of the last run."""
    found: dict[str, Any] = json.loads(Path("reports/summary.json").read_text())
    return found


@pytest.mark.usefixtures("without_shapes", "direct")
def test_narrowed_run_sends_only_what_it_needs(
    served: Loopback, shared: InProcess, command: Command
) -> None:
    """A narrowed run plans only the steps of its tests, says so, and repeats with its options."""
    result = command(served.url, "--api-key", KEY, "--only", "key-checked", "--layer", ERRORS)
    assert 0 == result.exit_code, result.output
    found, options = summary(), "--only key-checked --layer errors"
    keyed = {f"errors: {name}" for name in RULES["key-checked"].operations if name in operations()}
    assert keyed | {f"{step}, in full" for step in keyed} == set(found["planned"])
    assert {"key-checked"} == {row["what"] for row in found["coverage"] if row["kind"] == "rule"}
    start = f"The server keeps the contract in the tests selected by {options} ("
    assert found["line"].startswith(start)
    assert options == found["selection"]
    assert found["repeat"].endswith(options)
    assert found["requests"] < 150


@pytest.mark.usefixtures("without_shapes", "direct")
def test_last_failures_are_repeated(served: Loopback, shared: InProcess, command: Command) -> None:
    """``--last-failed`` reads the report before the run replaces it, and repeats its tests."""
    given = (served.url, "--api-key", KEY, "--only", "search", "--layer", ERRORS)
    shared.fault = breaks_the_search
    assert 1 == command(*given).exit_code
    broken = {(each["rule"], each["operation"]) for each in summary()["violations"]}
    again = (served.url, "--api-key", KEY, "--last-failed", "reports/summary.json")
    assert 1 == command(*again).exit_code
    found = summary()
    assert broken == {(each["rule"], each["operation"]) for each in found["violations"]}
    assert broken == {
        (row["what"], row["operation"]) for row in found["coverage"] if row["kind"] == "rule"
    }
    assert " selected by --last-failed reports/summary.json (" in found["line"]
    in_full = {step for step in found["planned"] if step.endswith(", in full")}
    assert {"errors: search, in full"} == in_full
    assert found["repeat"].endswith(" --last-failed reports/summary.json")
    shared.fault = None
    assert 0 == command(*again).exit_code
    assert [] == summary()["violations"]


def test_made_up_requests_are_a_layer_of_their_own() -> None:
    """Only the selected layer is needed, whatever the rules."""
    found = selection.read((), [SHAPES], None)
    assert {SHAPES} == {layer for layer in LAYERS if found.needs(layer, RULES)}


@pytest.mark.usefixtures("without_shapes", "direct")
@pytest.mark.parametrize("layers", [(STREAMS,), (STREAMS, ERRORS)], ids="+".join)
def test_streams_alone_are_tested_first(
    layers: tuple[str, ...],
    served: Loopback,
    shared: InProcess,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the checks of behaviour, a lack of time for more does not leave streams untested."""
    shared.fault = None
    monkeypatch.setattr(plan, "affordable", lambda *_: None)
    monkeypatch.setattr(plan, "fitting", lambda *_: [])
    options = [word for layer in layers for word in ("--layer", layer)]
    assert 0 == command(served.url, "--api-key", KEY, *options).exit_code
    found = summary()
    assert {"streams: sendMessage", "streams: createChatCompletion"} <= set(found["done"])
    tested = {(row["what"], row["operation"]) for row in found["coverage"] if row["count"] > 0}
    assert {("stream-end", name) for name in RULES["stream-end"].operations} <= tested


@pytest.mark.usefixtures("without_shapes", "direct")
def test_narrowed_run_accuses_no_server_of_its_gaps(
    served: Loopback, shared: InProcess, command: Command
) -> None:
    """A status that a narrowed run does not reach is not reported, and nothing of other rules."""
    shared.fault = None
    only = ("--only", "search", "--layer", ERRORS)
    result = command(served.url, "--api-key", KEY, *only)
    assert 0 == result.exit_code
    rows = summary()["coverage"]
    assert {("rule", "search")} == {(row["kind"], row["operation"]) for row in rows}
    assert {"", "not tested by errors"} == {row["reason"] for row in rows}
    # The table of requests has those that prepare the tests as well.
    before, _, rest = result.stdout.partition("Requests by operation")
    shown = before + rest.partition("Tested:")[2].partition("  Cost:")[0]
    assert [] == [name for name in operations() if name != "search" and name in shown]
    assert "own description" not in shown


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Replace the made-up requests, and return the operations that they would test."""
    seen = set[str]()

    class Counted(NoShapes):
        def run(self) -> Iterator[str]:
            seen.update(self.operations)
            yield from super().run()

    monkeypatch.setattr(run, "Shapes", Counted)
    return seen


@pytest.mark.usefixtures("direct")
@pytest.mark.parametrize(
    ("options", "extra"),
    [
        (("--only", "qnas-search"), []),
        (("--only", "described", "--only", "getQna"), []),
        (("--only", "described", "--only", "getQna", "--layer", SHAPES), ["getQna"]),
        (("--layer", SHAPES), list(operations())),
    ],
    ids=["one rule", "a rule of all layers", "with the layer", "the layer"],
)
def test_made_up_requests_need_a_reason(
    options: tuple[str, ...],
    extra: list[str],
    served: Loopback,
    shared: InProcess,
    command: Command,
    made_up: set[str],
) -> None:
    """Rules that other steps test need no made-up requests, unless their layer is selected."""
    assert 0 == command(served.url, "--api-key", KEY, *options).exit_code
    assert set(extra) == made_up


@pytest.mark.usefixtures("direct")
def test_untested_rule_gets_made_up_requests(
    served: Loopback,
    shared: InProcess,
    command: Command,
    made_up: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rule that no other step has tested gets made-up requests to its operation."""
    monkeypatch.setattr(plan, "first", lambda *_, **__: ())
    monkeypatch.setattr(plan, "further", lambda *_, **__: ())
    result = command(served.url, "--api-key", KEY, "--only", "described", "--only", "getQna")
    assert 2 == result.exit_code
    assert {"getQna"} == made_up


@pytest.mark.usefixtures("without_shapes", "direct")
def test_steps_in_full_are_those_of_the_selection(
    served: Loopback, shared: InProcess, command: Command
) -> None:
    """A step that tested nothing of the selection is not repeated in full, nor its operations."""
    options = ("--only", "described", "--only", "getQna")
    assert 0 == command(served.url, "--api-key", KEY, *options).exit_code
    planned = summary()["planned"]
    assert {"behaviour: one conversation", "errors: getQna, in full"} <= set(planned)
    assert "behaviour: one conversation, in full" not in planned
    assert summary()["requests"] < 0.3 * plan.work(PROFILES["default"].size).requests


@pytest.mark.usefixtures("direct")
def test_deep_run_without_further_tests_ends(
    served: Loopback, shared: InProcess, command: Command
) -> None:
    """A selection without random steps and made-up requests does not use up the time."""
    result = command(served.url, "--api-key", KEY, "--only", "qnas-search", "--profile", "deep")
    assert 0 == result.exit_code
    assert summary()["seconds"] < 60


@pytest.mark.usefixtures("without_shapes", "direct")
def test_repeated_seed_is_that_of_the_failures(
    served: Loopback, shared: InProcess, command: Command
) -> None:
    """``--last-failed`` takes the seed from the report, unless there is another one."""
    given = (served.url, "--api-key", KEY)
    shared.fault = breaks_the_search
    command(*given, "--only", "search", "--layer", ERRORS, "--seed", "7")
    again = (*given, "--last-failed", "reports/summary.json")
    assert 1 == command(*again).exit_code
    assert 7 == summary()["seed"]
    assert 1 == command(*again, "--seed", "8").exit_code
    assert 8 == summary()["seed"]


@pytest.mark.usefixtures("direct")
def test_failure_of_made_up_requests_is_found_again(
    served: Loopback, shared: InProcess, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--last-failed`` runs the step that found a failure, although others test the same rule."""

    class Finding(NoShapes):
        def __init__(self, context: CheckContext, *_: object, operations: Sequence[str]) -> None:
            super().__init__(operations=operations)
            self._findings = context.findings

        def run(self) -> Iterator[str]:
            for name in self.operations:
                self._findings.judge(name != "getMe", "described", name, "", "", [])
            yield from super().run()

    shared.fault = None
    monkeypatch.setattr(run, "Shapes", Finding)
    given = (served.url, "--api-key", KEY)
    assert 1 == command(*given, "--layer", SHAPES).exit_code
    assert [("shapes", "made-up requests")] == [
        (each["layer"], each["step"]) for each in summary()["violations"]
    ]
    assert 1 == command(*given, "--last-failed", "reports/summary.json").exit_code
    found = summary()
    assert "shapes: made-up requests" in found["planned"]
    assert [] == [step for step in found["planned"] if step.endswith(", in full")]
    assert {"getMe"} == {each["operation"] for each in found["violations"]}
