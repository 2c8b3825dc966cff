"""One strategy over all its seeds: mean curve, area, final score, labels needed, and what foreground buys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from medloop.metrics.curves import area_under
from medloop.metrics.intervals import Interval, mean_over_runs
from medloop.simulation.curves import Curve, MeanPoint, mean_points
from medloop.simulation.efficiency import LABEL_SHARES, NOT_COUNTED, ForegroundEfficiency, Needed, foreground_efficiency, labels_needed
from medloop.simulation.minutes import MinutesNeeded, MinutesPoint, minutes_needed, minutes_points


@dataclass(frozen=True)
class StrategySummary:
    """One strategy over all its seeds; every interval is over seeds.

    Attributes:
        points: Mean curve.
        area: Area under the curve divided by the range of labels: the mean height, 0..1.
        final: Score after the last round.
        seeds: Number of finished runs.
        area_of_full: Area as a share of the full-data score, or None without one.
        labels_to: Share of the full-data score ("98%") → labels needed; empty without a full-data score.
        foreground: What annotated foreground buys.
        minutes: Mean curve over minutes of annotation; () where these are not known.
        minutes_to: Share of the full-data score → minutes needed; empty without a full-data score or minutes.
    """

    strategy: str
    points: tuple[MeanPoint, ...]
    area: Interval
    final: Interval
    seeds: int
    area_of_full: Interval | None = None
    labels_to: Mapping[str, Needed] = field(default_factory=dict)
    foreground: ForegroundEfficiency = NOT_COUNTED
    minutes: tuple[MinutesPoint, ...] = ()
    minutes_to: Mapping[str, MinutesNeeded] = field(default_factory=dict)


@dataclass(frozen=True)
class Pool:
    """What could be asked.

    Attributes:
        cases: Their number.
        foreground: Foreground voxels in all of them; 0 where not counted.
    """

    cases: int
    foreground: int = 0


def summarise_strategy(name: str, curves: Sequence[Curve], full: Mapping[int, float], pool: Pool) -> StrategySummary:
    """Statistics over all runs of one strategy.

    Args:
        name: The strategy.
        curves: Its runs, sorted by seed, all with the same rounds.
        full: Seed → full-data score, of the seeds that have one.
        pool: What could be asked.
    """
    areas = np.array([area_under(c.labelled, c.scores) for c in curves])
    needed = {f"{share:.0%}": minutes_needed(curves, full, share) for share in LABEL_SHARES} if full else {}
    bound = float(np.mean(list(full.values()))) if full else None
    return StrategySummary(
        strategy=name,
        points=mean_points(curves),
        area=mean_over_runs(areas),
        final=mean_over_runs([c.scores[-1] for c in curves]),
        seeds=len(curves),
        area_of_full=mean_over_runs(areas / bound) if bound else None,
        labels_to={f"{share:.0%}": labels_needed(curves, full, share, pool.cases) for share in LABEL_SHARES} if full else {},
        foreground=foreground_efficiency(curves, bound, pool.foreground),
        minutes=minutes_points(curves),
        minutes_to={share: found for share, found in needed.items() if found is not None},
    )
