"""The exercises of `make exercises` fit the files that they edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.exercises import EXERCISES, Copy, Exercise

pytestmark = pytest.mark.one_interpreter


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_edits_fit_the_files(exercise: Exercise, tmp_path: Path) -> None:
    """Each edit finds its place, the faults as well, so that a changed file is noticed at once."""
    copy = Copy(tmp_path)
    exercise.edit(copy)
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*.py")}
    for edit, _ in exercise.faults.values():
        edit(copy)
        assert kept != {path: path.read_bytes() for path in kept}
        for path, content in kept.items():
            path.write_bytes(content)
