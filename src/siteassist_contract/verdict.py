"""Verdicts of a run and their exit statuses."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit status of ``siteassist-contract``."""

    KEPT = 0
    """The server kept the contract in every test."""
    BROKEN = 1
    """The server broke the contract at least once."""
    NOT_RUN = 2
    """The tests could not run, or did not finish."""
    INTERRUPTED = 130
    """Ctrl-C ended the tests."""


class CannotRunError(Exception):
    """The tests cannot run; the message is one line that says why."""


class ContractBrokenError(Exception):
    """The server broke the contract in a way that ends the tests; the message is one line."""
