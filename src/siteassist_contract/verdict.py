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
    INCOMPLETE = NOT_RUN
    INTERNAL_ERROR = 3
    """An unexpected error in the code of the tests."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM ended the tests."""


class CannotRunError(Exception):
    """A condition that prevents the tests or ends them; the message is the reason, in one line."""


class ContractBrokenError(Exception):
    """A violation of the contract that ends the tests; the message is one line."""


class InternalError(Exception):
    """An unexpected error in the code of the tests, for which the server is not to blame."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details
        """The traceback, as text; empty if there is none."""
