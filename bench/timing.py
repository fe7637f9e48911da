"""How things are timed: in turns, each at its best."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def cheapest(repetitions: int, *subjects: Callable[[], object]) -> list[float]:
    """Return the least processor time that each subject took.

    They take turns, so that a slow moment of the machine hits all of them, and
    the least is what the work itself takes. Processor time, since nothing here
    waits: it leaves out what the machine does for others meanwhile.
    """
    best = [float("inf")] * len(subjects)
    # The first turn is not counted: it imports and fills caches.
    for counted in range(repetitions + 1):
        for index, subject in enumerate(subjects):
            gc.collect()
            begun = time.process_time()
            subject()
            took = time.process_time() - begun
            if counted:
                best[index] = min(best[index], took)
    return best
