"""The cells of the tables: a mode at a place, with a profile of the contract tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.hostile.correct import CORRECT
from tests.hostile.modes import HOSTILE
from tests.hostile.places import PLACES

LONG = ("drip-body", "hang", "endless-body", "gzip-bomb", "escapes")
"""The modes that are run with the long profiles as well."""

_PROMISED = {"quick": 30, "default": 90}
_LONG_SECONDS = 60
_QUICK = {
    "drip-body/later/quick",
    "hang/first/quick",
    "reset/messages/quick",
    "endless-headers/made-up/quick",
    "endless-events/streams/quick",
    "gzip-bomb/made-up/quick",
    "huge/later/quick",
    "deep-json/first/quick",
    "escapes/messages/quick",
    "login-page/first/quick",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of the contract tests."""

    mode: str
    place: str
    profile: str

    def __str__(self) -> str:
        """Return the name that selects the cell."""
        return f"{self.mode}/{self.place}/{self.profile}"

    @property
    def promised(self) -> int:
        """The seconds that the run may take, as the command promises."""
        return _PROMISED.get(self.profile, _LONG_SECONDS)

    @property
    def options(self) -> list[str]:
        """The options of the command."""
        if self.profile in _PROMISED:
            return ["--profile", self.profile]
        # `live` would ask for a confirmation.
        return ["--profile", self.profile, "--time", f"{self.promised}s", "--yes"]

    @property
    def is_hostile(self) -> bool:
        """Whether the server violates the contract."""
        return self.mode in HOSTILE


def all_cells() -> list[Cell]:
    """Return the cells of the hostile table."""
    return [
        *(Cell(mode, place, "quick") for mode in HOSTILE for place in PLACES),
        *(Cell(mode, "later", "default") for mode in HOSTILE),
        *(Cell(mode, "later", profile) for mode in LONG for profile in ("deep", "live")),
    ]


def correct_cells() -> list[Cell]:
    """Return the cells of the table of correct servers."""
    return [Cell(mode, "first", profile) for mode in CORRECT for profile in _PROMISED]


def quick_cells() -> list[Cell]:
    """Return the ten cells for each change."""
    return [cell for cell in all_cells() if str(cell) in _QUICK]


def selected(cells: Iterable[Cell], patterns: Iterable[str]) -> Iterator[Cell]:
    """Yield the cells that match a pattern: a mode, or a cell such as ``hang/*/quick``.

    Raises `ValueError` if a pattern matches none.
    """
    cells = list(cells)
    chosen: set[Cell] = set()
    for pattern in patterns:
        found = {
            cell
            for cell in cells
            if fnmatchcase(cell.mode, pattern) or fnmatchcase(str(cell), pattern)
        }
        if not found:
            raise ValueError(f"no cell matches {pattern!r}; --list shows all of them")
        chosen |= found
    return (cell for cell in cells if cell in chosen)
