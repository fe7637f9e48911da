"""The output of the commands: text that cannot control a terminal, on streams that may fail.

`install` puts a `SafeStream` in place of standard output and standard error, so that each
text of a server, a file or the environment passes through `printable`, also if a library
prints it.
`show` adds colours of ours, and `StatusLine` shows the progress of a command, on terminals.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TextIO, cast

_UNUSUAL = re.compile("[^\x20-\x7e\n\t]")
_UNSAFE = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"})
"""The categories of control characters, of invisible ones such as those that change the direction
of text, of characters that do not exist, of surrogates and of separators of lines."""
_SUBSTITUTES = str.maketrans({"✗": "x", "…": "..."})
"""Replacements for our own marks in encodings that lack them."""


def printable(text: str) -> str:
    r"""Return ``text`` with escapes such as ``\x1b`` for characters that control a terminal.

    Line breaks and tabs are kept. The result is valid in HTML and in XML as well.
    """
    return _escaped(text, _python_escape)


def one_line(text: str) -> str:
    """Return ``text`` like `printable`, with escapes for line breaks and tabs as well."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def printable_json(text: str) -> str:
    """Return the JSON ``text`` with the escapes of JSON, which do not change its values."""
    return _escaped(text, _json_escape)


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        char = match[0]
        return escape(char) if unicodedata.category(char) in _UNSAFE else char

    return _UNUSUAL.sub(replaced, text)


def _python_escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


class Style(Enum):
    """A style of text on a terminal, by its code."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"


@dataclass(frozen=True)
class Styled:
    """A text with a style."""

    text: str
    style: Style


class SafeStream(io.TextIOBase):
    """A text stream that writes its input as text, in any encoding.

    Once a write fails, because the reader is gone or a disk is full, the stream discards
    everything: the end of its output must not end the command.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``, without closing it."""
        self._stream = stream
        self.failure: Exception | None = None
        """The first failure of a write."""

    # The base class declares these two as variables; click asks for them.
    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return self._stream.encoding or "ascii"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """The treatment of characters that the encoding lacks."""
        return self._stream.errors

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the file descriptor of the stream."""
        return self._stream.fileno()

    def write(self, text: str | bytes, /) -> int:
        """Write ``text`` as text; click writes its scripts for shells as bytes.

        Raises `TypeError` for no bytes, by which click would recognise a binary stream: it would
        encode all texts itself, without the substitutes of `_encodable`.
        """
        if isinstance(text, bytes):
            if not text:
                raise TypeError("a stream of text")
            text = text.decode()
        shown = self._encodable(printable(text))
        self._attempt(lambda: self._stream.write(shown))
        return len(text)

    def write_styled(self, *pieces: str | Styled) -> None:
        """Write texts as text, and styles as the codes of a terminal."""
        shown = "".join(
            f"\x1b[{each.style.value}m{self._encodable(printable(each.text))}\x1b[0m"
            if isinstance(each, Styled)
            else self._encodable(printable(each))
            for each in pieces
        )
        self._attempt(lambda: self._stream.write(shown))

    def clear_line(self) -> None:
        """Remove the line of a terminal on which the cursor is."""
        self._attempt(lambda: self._stream.write("\r\x1b[K"))

    def flush(self) -> None:
        """Flush the stream."""
        self._attempt(self._stream.flush)

    def _encodable(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            simpler = text.translate(_SUBSTITUTES)
            return simpler.encode(self.encoding, "backslashreplace").decode(self.encoding)
        return text

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            action()
        except (OSError, ValueError) as error:
            self.failure = error
            # The interpreter flushes the stream again at its end.
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)


def install() -> None:
    """Put safe streams in place of standard output and standard error, unless they are closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, SafeStream):
            setattr(sys, name, SafeStream(cast("TextIO", stream)))


def has_colours(stream: object) -> bool:
    """Whether to write styles to a stream: a terminal whose user wants them."""
    if not isinstance(stream, SafeStream) or not stream.isatty():
        return False
    # The older console of Windows prints the codes.
    is_modern = sys.platform != "win32" or "WT_SESSION" in os.environ
    return is_modern and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def show(*pieces: str | Styled, error: bool = False) -> None:
    """Print a line with styles, if standard output or standard error has colours."""
    stream: object = sys.stderr if error else sys.stdout
    if isinstance(stream, SafeStream) and has_colours(stream):
        stream.write_styled(*pieces, "\n")
        stream.flush()
    else:
        text = "".join(each.text if isinstance(each, Styled) else each for each in pieces)
        _print(sys.stderr if error else sys.stdout, text)


class StatusLine:
    """The last line of a terminal, which shows the progress of a command.

    It shows nothing on other outputs, on terminals that cannot remove a line, and in CI.
    """

    def __init__(self) -> None:
        self._is_shown = False

    @property
    def is_possible(self) -> bool:
        """Whether standard output can have a status line."""
        stream = sys.stdout
        return (
            isinstance(stream, SafeStream)
            and stream.isatty()
            and os.environ.get("TERM") != "dumb"
            and not os.environ.get("CI")
        )

    def set(self, text: str) -> None:
        """Show ``text``, cut to the width of the terminal, in place of the former one."""
        self.clear()
        if isinstance(sys.stdout, SafeStream) and self.is_possible:
            line, most = one_line(text), width() - 1
            sys.stdout.write(line if len(line) <= most else f"{line[: most - 3]}...")
            sys.stdout.flush()
            self._is_shown = True

    def clear(self) -> None:
        """Remove the line, so that others can be printed."""
        if self._is_shown and isinstance(sys.stdout, SafeStream):
            sys.stdout.clear_line()
        self._is_shown = False


def width() -> int:
    """Return the number of columns of the terminal, or 80."""
    return max(20, shutil.get_terminal_size().columns)


def last_line(text: str, *, error: bool = False, style: Style | None = None) -> None:
    """Print the last line of a command.

    It goes to standard output, and to standard error if ``error`` is set or standard output
    has ended early. On a terminal, a long line is divided between words.
    """
    line = one_line(text)
    if not error:
        _show_whole(line, sys.stdout, style)
        if sys.stdout is not None and getattr(sys.stdout, "failure", None) is None:
            return
        failure = getattr(sys.stdout, "failure", None)
        reason = getattr(failure, "strerror", None) or failure or "closed"
        line = f"{line} (standard output: {reason})"
    _show_whole(line, sys.stderr, style, error=True)


def _show_whole(
    line: str, stream: TextIO | None, style: Style | None, *, error: bool = False
) -> None:
    if isinstance(stream, SafeStream) and stream.failure is None and stream.isatty():
        line = textwrap.fill(
            line,
            width(),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    show(line if style is None else Styled(line, style), error=error)


def _print(stream: TextIO | None, line: str) -> None:
    if stream is not None:
        stream.write(f"{line}\n")
        stream.flush()
