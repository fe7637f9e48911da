"""Timing: subjects run in turns, and the best time of each counts."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def cheapest(repetitions: int, *subjects: Callable[[], object]) -> list[float]:
    """Return the lowest processor time of each subject, in seconds.

    The subjects take turns, so that a slow moment of the machine affects all of them. The
    lowest time is the best estimate of the work itself. Processor time is used because
    no subject waits for anything, and because it excludes other processes.
    """
    best = [float("inf")] * len(subjects)
    # The first turn is not counted, because it imports modules and fills caches.
    for counted in range(repetitions + 1):
        for index, subject in enumerate(subjects):
            gc.collect()
            begun = time.process_time()
            subject()
            took = time.process_time() - begun
            if counted:
                best[index] = min(best[index], took)
    return best
