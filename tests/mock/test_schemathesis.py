"""Schemathesis, as anybody would run it, has no complaint about the mock and its description."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.testing import mock_server
from tests.values import PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.one_interpreter


@pytest.mark.parametrize(
    "options", [(), ("--header", f"Authorization: Bearer {PRIVATE_KEY}")], ids=["bare", "token"]
)
def test_schemathesis_has_no_complaint(tmp_path: Path, options: Sequence[str]) -> None:
    """All phases pass on the mock's own description, without a configuration."""
    program = Path(sys.executable).parent / "schemathesis"
    with mock_server() as url:
        # More examples belong to a run by hand.
        limits = ("--max-examples", "2", "--seed", "1")
        done = subprocess.run(
            [str(program), "run", f"{url}/openapi", *limits, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert 0 == done.returncode, done.stdout + done.stderr
