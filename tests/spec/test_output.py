"""The output of commands: text on any terminal, on streams of any encoding, which may fail."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from siteassist_spec import output
from siteassist_spec.output import (
    SafeStream,
    StatusLine,
    Style,
    Styled,
    last_line,
    one_line,
    printable,
    printable_json,
    show,
)

ATTACKS = {
    "\x1b[2J": r"\x1b[2J",
    "\x1b]52;c;cm0gLXJm\x07": r"\x1b]52;c;cm0gLXJm\x07",
    "safe\rEvil": r"safe\rEvil",
    "\x9b31m": r"\x9b31m",
    "\x00\x08\x7f": r"\x00\x08\x7f",
    "\u202eabc\u2066": r"\u202eabc\u2066",
    "a\u2028b\x85c": r"a\u2028b\x85c",
    "\ufeff\u200b": r"\ufeff\u200b",
    "\ud83d": r"\ud83d",
    "\uffff\U000e0041": r"\uffff\U000e0041",
}


class Broken(io.TextIOWrapper):
    """A stream on which every write fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.error = error

    def write(self, _text: str, /) -> int:
        """Fail."""
        raise self.error


@pytest.fixture(autouse=True)
def _streams() -> Iterator[None]:
    """Restore standard output and standard error."""
    before = sys.stdout, sys.stderr
    yield
    sys.stdout, sys.stderr = before


def stream(encoding: str = "utf-8") -> tuple[SafeStream, io.BytesIO]:
    """Return a safe stream, and what it writes to."""
    written = io.BytesIO()
    return SafeStream(io.TextIOWrapper(written, encoding=encoding, newline="")), written


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "x é … 日 ✗"),
        ("cp1252", "x é ... \\u65e5 x"),
        ("ascii", "x \\xe9 ... \\u65e5 x"),
        ("utf-16", "x é … 日 ✗"),
    ],
)
def test_click_prints_in_any_encoding(
    encoding: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts that click prints have the substitutes, too, and never end a command."""
    safe, written = stream(encoding)
    monkeypatch.setattr(sys, "stdout", safe)
    click.echo("x é … 日 ✗")
    safe.flush()
    assert f"{expected}\n" == written.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_scripts_of_click_are_text(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Click prints completions as bytes."""
    safe, written = stream(encoding)
    monkeypatch.setattr(sys, "stdout", safe)
    click.echo("plain,✗".encode())
    safe.flush()
    expected = "plain,✗\n" if encoding == "utf-8" else "plain,x\n"
    assert expected == written.getvalue().decode(encoding)


@pytest.mark.parametrize(("text", "expected"), ATTACKS.items())
def test_control_characters_become_escapes(text: str, expected: str) -> None:
    """Controls of the terminal, of the direction of text and of lines are shown, not obeyed."""
    assert expected == printable(text)


def test_no_control_character_is_left_out() -> None:
    """Of all characters, only line breaks and tabs remain of those that are not visible."""
    everything = "".join(map(chr, range(0x110000)))
    left = {char for char in set(printable(everything)) if unicodedata.category(char)[0] == "C"}
    assert {"\n", "\t"} == {char for char in left if unicodedata.category(char) != "Co"}


def test_usual_text_stays() -> None:
    """Letters of all scripts, marks, emoji and spaces are kept."""
    text = "Größe: 10\u202f€\u00a0- ✗ 漢字 العربية 🎉\n\tend"
    assert text == printable(text)


def test_one_line_is_one_line() -> None:
    """A line break of a server cannot begin a line of its own."""
    assert r"no\nThe server keeps the contract\t(1 request)." == one_line(
        "no\nThe server keeps the contract\t(1 request)."
    )


def test_json_keeps_its_values() -> None:
    """Escapes in JSON are those of JSON, so that a program reads what the server sent."""
    value = {"é": "".join(ATTACKS)}
    text = printable_json(json.dumps(value, ensure_ascii=False))
    assert (value, text) == (json.loads(text), printable(text))
    assert "é" in text


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "✗ getMe: é…"),
        ("cp1252", "x getMe: é..."),
        ("ascii", "x getMe: \\xe9..."),
        ("utf-16", "✗ getMe: é…"),
        ("cp037", "x getMe: é..."),
    ],
)
def test_output_works_in_any_encoding(encoding: str, expected: str) -> None:
    """What an encoding lacks is replaced, marks of our own by similar ones."""
    safe, written = stream(encoding)
    print("✗ getMe: é…", file=safe, flush=True)
    assert f"{expected}\n" == written.getvalue().decode(encoding)


def test_stream_describes_the_wrapped_one(tmp_path: Path) -> None:
    """Libraries that ask a safe stream what it is get the answers of the wrapped one."""
    with (tmp_path / "file").open("w", encoding="cp1252", errors="replace") as file:
        safe = SafeStream(file)
        assert ("cp1252", "replace", False, True) == (
            *(safe.encoding, safe.errors, safe.isatty(), safe.writable()),
        )
        assert file.fileno() == safe.fileno()


@pytest.mark.parametrize(
    "error", [BrokenPipeError(errno.EPIPE, "Broken pipe"), ValueError("I/O on closed file")]
)
def test_failed_stream_discards_the_rest(error: Exception) -> None:
    """After the first failure nothing more is written, and nothing is raised."""
    safe = SafeStream(Broken(error))
    assert 3 == safe.write("one")
    assert (error, 3) == (safe.failure, safe.write("two"))
    safe.flush()


def test_failed_pipe_can_be_flushed_at_exit() -> None:
    """The stream below is redirected, so that the interpreter can flush it at its end."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        safe = SafeStream(pipe)
        safe.write("lost")
        safe.flush()
        assert isinstance(safe.failure, BrokenPipeError)
        pipe.write("discarded")
        pipe.flush()


def test_streams_are_installed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open streams are replaced, once; closed ones stay closed."""
    monkeypatch.setattr(sys, "stdout", None)
    output.install()
    first = sys.stderr
    output.install()
    assert (True, True, None) == (isinstance(first, SafeStream), first is sys.stderr, sys.stdout)


def test_last_line_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is on standard output, or on standard error if it is an error."""
    output.last_line("done\n")
    assert ("done\\n\n", "") == capsys.readouterr()
    output.last_line("failed", error=True)
    assert ("", "failed\n") == capsys.readouterr()


@pytest.mark.parametrize(
    ("closed", "reason"),
    [
        (None, "closed"),
        (Broken(OSError(errno.ENOSPC, "No space left on device")), "No space left on device"),
        (Broken(ValueError("it is closed")), "it is closed"),
    ],
)
def test_last_line_has_another_way(
    closed: Broken | None,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The last line of a lost output is on standard error, with the reason."""
    monkeypatch.setattr(sys, "stdout", closed)
    output.install()
    output.last_line("done")
    assert f"done (standard output: {reason})\n" == capsys.readouterr().err


def test_last_line_without_any_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both streams closed, the last line is lost and nothing is raised."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    output.last_line("done")


class Terminal(io.TextIOWrapper):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], io.BytesIO]:
    """Return a function that makes standard output a terminal, and returns what it gets."""
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")

    def make() -> io.BytesIO:
        written = io.BytesIO()
        sys.stdout = SafeStream(Terminal(written, encoding="cp1252", newline=""))
        return written

    return make


def test_styles_are_codes_on_a_terminal_only(terminal: Callable[[], io.BytesIO]) -> None:
    """Styles are written around the text, whose own codes are escaped."""
    written = terminal()
    pieces = ("a ", Styled("✗ \x1b[2J", Style.RED), " b")
    show(*pieces)
    assert b"a \x1b[31mx \\x1b[2J\x1b[0m b\n" == written.getvalue()
    sys.stdout, other = stream()
    show(*pieces)
    sys.stdout.flush()
    assert "a ✗ \\x1b[2J b\n" == other.getvalue().decode()
    sys.stdout = None  # closed
    show(*pieces)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_refused(
    name: str, value: str, terminal: Callable[[], io.BytesIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`NO_COLOR` and a dumb terminal get plain text."""
    monkeypatch.setenv(name, value)
    written = terminal()
    last_line("kept", style=Style.GREEN)
    assert b"kept\n" == written.getvalue()


def test_last_line_is_divided_between_words(terminal: Callable[[], io.BytesIO]) -> None:
    """A verdict is readable on a narrow terminal, and one line in a pipe."""
    verdict = "The server keeps the contract (100 requests)."
    written = terminal()
    last_line(verdict)
    assert b"The server keeps the\n  contract (100\n  requests).\n" == written.getvalue()
    sys.stdout, other = stream()
    last_line(verdict)
    sys.stdout.flush()
    assert f"{verdict}\n" == other.getvalue().decode()


@pytest.mark.parametrize("modern", [False, True])
def test_older_console_of_windows_has_no_colours(
    modern: bool, terminal: Callable[[], io.BytesIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the newer terminal understands codes without being told so."""
    monkeypatch.setattr(sys, "platform", "win32")
    if modern:
        monkeypatch.setenv("WT_SESSION", "x")
    written = terminal()
    last_line("kept", style=Style.GREEN)
    assert (b"\x1b[32mkept\x1b[0m\n" if modern else b"kept\n") == written.getvalue()


def test_status_line_is_replaced_and_removed(terminal: Callable[[], io.BytesIO]) -> None:
    """A status is cut to the width of the terminal, and gives way to lines."""
    written = terminal()
    status = StatusLine()
    status.set("one \x1b step of many, many steps")
    status.set("two")
    status.clear()
    status.clear()
    show("end")
    first = b"one \\x1b step of..."
    assert first + b"\r\x1b[Ktwo\r\x1b[Kend\n" == written.getvalue()


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_status_line_needs_a_terminal(
    name: str, value: str, terminal: Callable[[], io.BytesIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI and dumb terminals have no status line."""
    monkeypatch.setenv(name, value)
    written = terminal()
    status = StatusLine()
    status.set("one")
    status.clear()
    assert (False, b"") == (status.is_possible, written.getvalue())


def test_width_of_a_terminal_is_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that reports nonsense is as wide as a narrow one."""
    monkeypatch.setenv("COLUMNS", "1")
    assert 20 == output.width()
