"""The value of what was left out, which is not the same as null."""

from __future__ import annotations

from typing import Final, Literal


class Unset:
    """The type of `UNSET`. Copies and pickles of the constant are the constant."""

    def __bool__(self) -> Literal[False]:
        """Count as false, so that ``value or default`` reads well."""
        return False

    def __repr__(self) -> str:
        """Name the constant."""
        return "UNSET"

    def __reduce__(self) -> str:
        """Pickle and copy as the module's constant."""
        return "UNSET"


UNSET: Final[Unset] = Unset()
