"""`make diff` distinguishes changes that break a client from changes that do not."""

from __future__ import annotations

import copy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import diff
from scripts.diff import Change, DiffError
from scripts.publish.documents import as_yaml
from tests.description import SPEC
from tests.values import ROOT

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="oasdiff is run by Go")


def changed(change: Callable[[Any, Any], object]) -> dict[str, Any]:
    """Return a changed copy; ``change`` gets the description and its schemas."""
    spec = copy.deepcopy(SPEC)
    change(spec, spec["components"]["schemas"])
    return spec


def field(schemas: Any, name: str, key: str) -> Any:
    """Return a property of a schema."""
    return schemas[name]["properties"][key]


def parameters(spec: Any) -> Any:
    """Return the parameters of the search."""
    return spec["paths"]["/search"]["get"]["parameters"]


def remove_field(_: Any, schemas: Any) -> None:
    """Remove a required field of a response."""
    del schemas["Visitor"]["properties"]["name"]
    schemas["Visitor"]["required"].remove("name")


def require_field(_: Any, schemas: Any) -> None:
    """Add a required field to a request."""
    schemas["InitRequest"]["properties"]["language"] = {"type": "string"}
    schemas["InitRequest"]["required"].append("language")


TEXT = {"type": "string"}
BREAKING: dict[str, tuple[str, Callable[[Any, Any], object]]] = {
    "operation removed": ("search", lambda spec, _: spec["paths"].pop("/search")),
    "required field in a request": ("init", require_field),
    "field removed from a response": ("getMe", remove_field),
    "value refused": (
        "getConversations",
        lambda _, schemas: schemas["OrderDirection"]["enum"].remove("asc"),
    ),
    "new value in a response": (
        "getProject",
        lambda _, schemas: schemas["WidgetPosition"]["enum"].append("top-left"),
    ),
    "bound narrowed": (
        "sendMessage",
        lambda _, schemas: field(schemas, "SendMessageRequest", "content").update(maxLength=5000),
    ),
    "type changed": (
        "createChatCompletion",
        lambda _, schemas: field(schemas, "TokenUsage", "inputTokens").update(type="string"),
    ),
    "nullable field in a response": (
        "getConversation",
        lambda _, schemas: field(schemas, "Conversation", "createdAt").update(
            type=["string", "null"]
        ),
    ),
    "null refused": (
        "getQnas",
        lambda spec, _: spec["components"]["parameters"]["Offset"]["schema"].update(type="number"),
    ),
    "constant changed": (
        "getMe",
        lambda _, schemas: field(schemas, "Visitor", "object").update(const="person"),
    ),
    "payload of a stream changed": (
        "sendMessage",
        lambda _, schemas: field(schemas, "TextDeltaPayload", "delta").update(type="integer"),
    ),
    "stream removed": (
        "sendMessage",
        lambda spec, _: spec["paths"]["/conversations/{conversationId}/messages"]["post"][
            "responses"
        ]["200"]["content"].pop("text/event-stream"),
    ),
    "credential required": (
        "search",
        lambda spec, _: spec["paths"]["/search"]["get"].update(security=[{"bearerAuth": []}]),
    ),
    "operation renamed": (
        "search",
        lambda spec, _: spec["paths"]["/search"]["get"].update(operationId="find"),
    ),
    "credential scheme changed": (
        "",
        lambda spec, _: spec["components"]["securitySchemes"]["bearerAuth"].update(scheme="basic"),
    ),
}
HARMLESS: dict[str, Callable[[Any, Any], object]] = {
    "optional parameter": lambda spec, _: parameters(spec).append(
        {"name": "language", "in": "query", "schema": TEXT}
    ),
    "error added": lambda spec, _: spec["paths"]["/search"]["get"]["responses"].update(
        {"418": {"description": "A teapot."}}
    ),
    "value accepted": lambda _, schemas: schemas["OrderDirection"]["enum"].append("random"),
    "value removed from a response": lambda _, schemas: schemas["WidgetPosition"]["enum"].pop(),
    "bound widened": lambda _, schemas: field(schemas, "SendMessageRequest", "content").update(
        maxLength=20_000
    ),
    "field added to a response": lambda _, schemas: schemas["Visitor"]["properties"].update(
        language=TEXT
    ),
    "description": lambda spec, _: spec["paths"]["/search"]["get"].update(description="Finds."),
}


@needs_go
@pytest.mark.parametrize("name", BREAKING)
def test_breaking_change_is_found(name: str) -> None:
    """A breaking change is reported for its operation."""
    operation, change = BREAKING[name]
    found = diff.compare(SPEC, changed(change))
    assert operation in {row.operation for row in found if row.level == diff.BREAKING}


@needs_go
@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_change_is_not_breaking(name: str) -> None:
    """A harmless change is listed as not breaking."""
    found = diff.compare(SPEC, changed(HARMLESS[name]))
    assert {1} == {row.level for row in found}


@needs_go
def test_message_names_the_media_type_of_a_stream() -> None:
    """The message has the real media type, although oasdiff gets another one."""
    found = diff.compare(SPEC, changed(BREAKING["stream removed"][1]))
    assert "removed the media type `text/event-stream`" in found[0].text


@needs_go
def test_unjudged_change_is_reported() -> None:
    """A change that oasdiff does not examine is reported as risky."""
    spec = changed(lambda spec, _: spec["servers"][0].update(url="https://example.com"))
    assert [Change(diff.RISKY, "", "no rule covers the change at #/servers")] == diff.compare(
        SPEC, spec
    )


def test_change_of_an_extension_is_breaking() -> None:
    """Clients depend on ``x-event-stream``, so only adding it is harmless."""

    def other_end(spec: Any, _: Any) -> None:
        response = spec["paths"]["/chat/completions"]["post"]["responses"]["200"]
        response["x-event-stream"]["terminator"] = "[END]"

    def no_end(spec: Any, _: Any) -> None:
        del spec["paths"]["/chat/completions"]["post"]["responses"]["200"]["x-event-stream"]

    name = "createChatCompletion"
    text = "`terminator` of `x-event-stream` changed from '[DONE]' to '[END]'"
    assert [Change(diff.BREAKING, name, text)] == [*diff.streams(SPEC, changed(other_end))]
    removed = [Change(diff.BREAKING, name, "`x-event-stream` was removed")]
    assert removed == [*diff.streams(SPEC, changed(no_end))]
    added = [Change(1, name, "`x-event-stream` was added")]
    assert added == [*diff.streams(changed(no_end), SPEC)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("paths", "/search", "get", "description"), True),
        (("info", "version"), True),
        (("components", "examples", "Answer", "value"), True),
        (("components", "schemas", "Project", "properties", "description"), False),
        (("components", "schemas", "Project", "properties", "description", "description"), True),
        (("components", "schemas", "Project", "properties", "name", "maxLength"), False),
    ],
)
def test_texts_are_distinguished_from_rules(path: tuple[str, ...], expected: bool) -> None:
    """A key such as ``description`` may also be the name of a property."""
    assert expected == diff.is_words(path)


def test_changes_are_grouped_by_level() -> None:
    """Breaking changes come first, and each change has its operation."""
    changes = [Change(3, "search", "gone"), Change(2, "", "a"), Change(1, "init", "b")]
    expected = """\
Breaking (1):
  search: gone
Perhaps breaking (1):
  a
Not breaking (1):
  init: b"""
    assert expected == diff.show(changes)
    assert "Nothing changed." == diff.show([])


def test_base_is_a_file_or_a_revision(tmp_path: Path) -> None:
    """A base that is neither raises an error that names it."""
    path = tmp_path / "openapi.yaml"
    path.write_text("openapi: 3.1.0\n")
    assert "openapi: 3.1.0\n" == diff.base_text(str(path))
    assert diff.base_text("HEAD").startswith("# The SiteAssist v2 API")
    for base in ("no-such-revision", "--output=x"):
        with pytest.raises(DiffError, match=f"^{base} is neither a file nor a revision"):
            diff.base_text(base)


@pytest.fixture
def base(tmp_path: Path) -> str:
    """Write a description that has no search, and return its path."""
    path = tmp_path / "base.yaml"
    path.write_bytes(as_yaml(changed(lambda spec, _: spec["paths"].pop("/search"))))
    return str(path)


@pytest.mark.parametrize(("level", "status"), [(1, 0), (2, 0), (3, 1)])
def test_exit_status_is_1_for_a_breaking_change(
    level: int,
    status: int,
    base: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The changes are printed, and the exit status is 1 only if one of them is breaking."""
    monkeypatch.setattr(diff, "judged", lambda *_: [Change(level, "search", "changed")])
    assert status == diff.main([f"--base={base}"])
    shown = capsys.readouterr()
    assert "search: changed" in shown.out
    assert (f"Some changes since {base} break clients.\n" if status else "") == shown.err


def test_missing_go_is_reported(
    base: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names Go, and the exit status is 2."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert 2 == diff.main([f"--base={base}"])
    assert "oasdiff needs Go, which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("done", "message"),
    [
        (subprocess.CompletedProcess([], 1, "", "no such version"), "no such version"),
        (subprocess.CompletedProcess([], 0, "not JSON", ""), "not JSON"),
    ],
)
def test_failure_of_oasdiff_is_an_error(
    done: subprocess.CompletedProcess[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed run of oasdiff does not count as an absence of changes."""
    monkeypatch.setattr(shutil, "which", lambda _: "go")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(DiffError, match=f"^oasdiff failed: {message}"):
        list(diff.judged(SPEC, SPEC))


def release(folder: Path, version: str, changelog: str) -> None:
    """Write the version and the changelog of a release."""
    (folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(changelog)


ANNOUNCED = "# Changelog\n\n## Unreleased\n\n- **Breaking**: no search.\n"
UNANNOUNCED = "# Changelog\n\n## Unreleased\n\n- No search.\n"


@pytest.mark.parametrize(
    ("old", "new", "changelog", "excused"),
    [
        ("1.4.2", "2.0.0", ANNOUNCED, True),
        ("1.4.2", "2.0.0", UNANNOUNCED, False),
        ("1.4.2", "1.5.0", ANNOUNCED, False),
        ("0.1.0", "0.2.0", ANNOUNCED, True),
        ("0.1.0", "0.1.1", ANNOUNCED, False),
        ("0.9.0", "1.0.0", ANNOUNCED.replace("Unreleased", "1.0.0 (2030-01-01)"), True),
    ],
)
def test_breaking_change_needs_a_major_version_and_a_changelog_entry(
    old: str,
    new: str,
    changelog: str,
    excused: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Both are required; before 1.0.0, a minor version suffices."""
    release(tmp_path, new, changelog)
    monkeypatch.setattr(diff, "ROOT", tmp_path)
    at_release = {"openapi.yaml": (ROOT / "openapi.yaml").read_text(), "pyproject.toml": ""}
    at_release["pyproject.toml"] = f'[project]\nversion = "{old}"\n'
    monkeypatch.setattr(
        diff,
        "git",
        lambda *words: (
            f"v{old}\n" if words[0] == "describe" else at_release[words[-1].split(":")[1]]
        ),
    )
    # Reading the same description twice takes longer than the rest of the test.
    monkeypatch.setattr(diff, "load_spec", lambda *_: SPEC)
    monkeypatch.setattr(diff, "judged", lambda *_: [Change(3, "search", "gone")])
    assert (0 if excused else 1) == diff.main(["--since-release"])
    said = "Breaking changes are allowed: the changelog lists them" in capsys.readouterr().out
    assert excused == said


def test_malformed_version_is_an_error() -> None:
    """A version without three numbers cannot be compared."""
    with pytest.raises(DiffError, match="invalid version '2': expected three numbers"):
        diff.version('[project]\nversion = "2"\n')


def test_without_a_release_nothing_is_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without git or a tag, a message reports it and the exit status is 0."""

    def no_git(*_: Any, **__: Any) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", no_git)
    assert 0 == diff.main(["--since-release"])
    assert "There is no release yet to compare with.\n" == capsys.readouterr().out


def test_tool_is_pinned() -> None:
    """``go.mod`` has the version of oasdiff, and ``go.sum`` has its checksum."""
    assert "github.com/oasdiff/oasdiff v1.30.0" in (diff.TOOL / "go.mod").read_text()
    assert "github.com/oasdiff/oasdiff v1.30.0 h1:" in (diff.TOOL / "go.sum").read_text()
