"""What a run of the contract tests can come to, and the exit status that says so."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status of ``siteassist-contract``."""

    KEPT = 0
    """The server kept the contract in every test."""
    BROKEN = 1
    """The server broke the contract at least once."""
    NOT_RUN = 2
    """The tests could not run, or not to their end."""
    INTERRUPTED = 130
    """Ctrl-C ended the tests."""


class CannotRunError(Exception):
    """The tests cannot run; the message is one line that says why."""


class ContractBrokenError(Exception):
    """The server broke the contract so that nothing can go on; the message is one line."""
