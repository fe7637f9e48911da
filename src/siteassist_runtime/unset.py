"""The value of an omitted argument or field, as opposed to null."""

from __future__ import annotations

from typing import Final, Literal


class Unset:
    """The type of `UNSET`. Copies and pickles of the constant are the constant."""

    def __bool__(self) -> Literal[False]:
        """Return False, so that ``value or default`` works."""
        return False

    def __repr__(self) -> str:
        """Return the name of the constant."""
        return "UNSET"

    def __reduce__(self) -> str:
        """Pickle and copy as the module's constant."""
        return "UNSET"


UNSET: Final[Unset] = Unset()
