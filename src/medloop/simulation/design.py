"""What a study compares, as one value: it travels in `design.json` and decides every number that comes out."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medloop.core.declaring import current_value
from medloop.core.errors import SettingError
from medloop.core.records import Json, TaskKind
from medloop.query.pool import COLD
from medloop.query.strategies import strategy
from medloop.simulation.study_settings import NAMES_IN_PROJECTS, STUDY_SETTINGS, StudySettings

SHARED = "shared"
"""Name of the first round, which all strategies of a seed start from."""

FULL = "full"
"""Name of the upper bound: one model that learned from every case of the pool."""


BASELINES: Mapping[TaskKind, tuple[str, ...]] = MappingProxyType({"segmentation": ("random", "foreground"), "classification": ("random",)})
"""What every study runs besides the strategies it is asked for: without them a lead means nothing."""


@dataclass(frozen=True, kw_only=True)
class StudyDesign(StudySettings):
    """A comparison of strategies on a data set whose annotations are known; for the other settings see `StudySettings`.

    Attributes:
        dataset: Folder or list in any layout that can be imported; cases without an annotation are left out.
        strategies: Names in the registry, each once; missing `BASELINES` are added when the study runs.
        seeds: Of the first cases, the trainings and the draws; every strategy runs with every seed.
    """

    dataset: str
    strategies: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        _require_types(self)
        for name, values in (("strategies", self.strategies), ("seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise SettingError(f"A study needs at least one of {name}, each once, got {list(values)}")
        for name in self.strategies:
            strategy(name)
        if not strategy(self.start_strategy).needs <= COLD:
            raise SettingError(f"start_strategy must need no predictions, got {self.start_strategy!r}", remedy="use random or typiclust")
        if self.test_fraction + self.validation_fraction >= 1:
            raise SettingError(
                f"test and validation must leave patients to query, got {self.test_fraction:g} and {self.validation_fraction:g}"
            )

    @property
    def labelled(self) -> tuple[int, ...]:
        """Answered cases after each round."""
        return tuple(self.start + n * self.batch for n in range(self.rounds))

    def missing_baselines(self, kind: TaskKind) -> tuple[str, ...]:
        """Baselines that this study runs without having been asked; none with `only`."""
        return () if self.only else tuple(name for name in BASELINES[kind] if name not in self.strategies)

    def completed(self, kind: TaskKind) -> "StudyDesign":
        """The design with every baseline that a data set of this kind calls for."""
        return dataclasses.replace(self, strategies=(*self.missing_baselines(kind), *self.strategies))

    def to_json(self) -> Json:
        """The design as plain numbers, strings and lists."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "StudyDesign":
        """Inverse of `to_json`.

        Raises:
            SettingError: With a field unknown, missing or outside its range.
        """
        own = [NAMES_IN_PROJECTS.get(name, name) for name in record]
        if twice := [name for name in own if own.count(name) > 1]:
            raise SettingError(f"{twice[0]} must be given once, got it by its name in projects too", remedy="keep one of them")
        record = dict(zip(own, record.values(), strict=True))
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(record) - known):
            raise SettingError(f"A study has no setting {unknown[0]!r}", remedy=f"it has {', '.join(sorted(known))}")
        try:
            values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
            return cls(**{name: current_value(name, value) for name, value in values.items()})
        except TypeError as error:
            raise SettingError(f"Not a study: {error}") from error


def _require_types(design: StudyDesign) -> None:
    """Settings come from files too: a word where a number belongs is refused by name."""
    for name, values, item in (("strategies", design.strategies, str), ("seeds", design.seeds, int)):
        if not isinstance(values, tuple) or not all(type(one) is item for one in values):
            raise SettingError(f"{name} must be a list of {'names' if item is str else 'whole numbers'}, got {values!r}")
    if not isinstance(design.dataset, str):
        raise SettingError(f"dataset must be text, got {design.dataset!r}")
    for name, one in STUDY_SETTINGS.items():
        one.check(getattr(design, name))


@dataclass(frozen=True, order=True)
class Unit:
    """The unit of work: one round of one strategy with one seed.

    Attributes:
        seed: Which seed.
        strategy: A strategy, or `SHARED`, or `FULL`.
        round: 1, 2, …; the shared round and the full-data model are round 1.
    """

    seed: int
    strategy: str
    round: int

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.strategy}, round {self.round}"

    def needs(self) -> "Unit | None":
        """The unit that must be done before."""
        if self.strategy in (SHARED, FULL):
            return None
        return Unit(self.seed, SHARED, 1) if self.round == 2 else Unit(self.seed, self.strategy, self.round - 1)

    def run_folder(self, out: Path) -> Path:
        """The workspace this unit works in, shared by the rounds of one strategy and seed."""
        return out / "runs" / f"seed-{self.seed}" / self.strategy

    def result_file(self, out: Path) -> Path:
        """Where its result is; the file's existence means that the unit is done."""
        return out / "rounds" / f"seed-{self.seed}" / f"{self.strategy}-{self.round}.json"


def units(design: StudyDesign) -> tuple[Unit, ...]:
    """Every unit of a study in a good order to begin: first rounds, then seed by seed the upper bound and the later rounds.

    So a study that is cut short holds whole seeds rather than a bit of each, and no process is left alone at the end with the
    longest unit, which the upper bound is.
    """
    every = [Unit(seed, SHARED, 1) for seed in design.seeds]
    for seed in design.seeds:
        every.append(Unit(seed, FULL, 1))
        every += [Unit(seed, name, r) for r in range(2, design.rounds + 1) for name in design.strategies]
    return tuple(every)
