"""The hooks of schemathesis, in a process of their own: it keeps them as long as it lives."""

from __future__ import annotations

import sys

from tests.commands import run

PROGRAM = """
from types import SimpleNamespace
from schemathesis.openapi.checks import RejectedPositiveData
from siteassist_contract.checks.generated import hooks

case = SimpleNamespace(id="1", headers={"tE": "x", "Authorization": "tEN$"}, meta=None)
hooks.before_call(None, case, {})
failure = RejectedPositiveData.__new__(RejectedPositiveData)
judged = hooks.filter_failure(None, failure, case, SimpleNamespace(status_code=401))
print(case.headers, judged)
"""


def test_request_without_some_of_its_headers_is_not_taken_for_a_valid_one() -> None:
    """What is left counts as valid for schemathesis, an invalid token included."""
    done = run([sys.executable, "-c", PROGRAM])
    assert "{'Authorization': 'tEN$'} False\n" == done.stdout, done.stderr
