"""Leases without a clock that can jump: watch the beats of running jobs.

A running job's `beat` rises with each heartbeat. One whose (attempt, beat) stayed the same for its lease,
by the watcher's own monotonic clock, has lost its worker. Turning the wall clock, a reboot, or several
machines with different clocks never make two workers run one job. The price: a fresh watcher waits one
full lease before it takes anything over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pulse:
    """A running job's signs of life, as one look at the table finds them."""

    job_id: str
    attempt: int
    beat: int
    lease_seconds: float


@dataclass(frozen=True)
class _Sighting:
    pulse: Pulse
    since: float


class Watch:
    """One process's memory of when it first saw each pulse, by a clock that never goes back, such as `time.monotonic`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sightings: dict[str, _Sighting] = {}

    def silent(self, running: Sequence[Pulse]) -> list[Pulse]:
        """Look at all running jobs; those that did not beat for their whole lease."""
        at = self._clock()
        seen = {pulse.job_id: self._seen(pulse, at) for pulse in running}
        self._sightings = seen  # another thread may look at the same moment
        return [pulse for pulse in running if at - seen[pulse.job_id].since >= pulse.lease_seconds]

    def _seen(self, pulse: Pulse, at: float) -> _Sighting:
        before = self._sightings.get(pulse.job_id)
        return before if before is not None and before.pulse == pulse else _Sighting(pulse, at)
