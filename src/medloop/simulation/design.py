"""What a study compares, as one value: it travels in `design.json` and decides every number that comes out."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

from medloop.core.errors import SettingError
from medloop.core.records import ColdStart, Json, TaskKind, WarmStart
from medloop.query.pool import COLD
from medloop.query.strategies import strategy

SHARED = "shared"
"""Name of the first round, which all strategies of a seed start from."""

FULL = "full"
"""Name of the upper bound: one model that learned from every case of the pool."""


BASELINES: Mapping[TaskKind, tuple[str, ...]] = MappingProxyType({"segmentation": ("random", "foreground"), "classification": ("random",)})
"""What every study runs besides the strategies it is asked for: without them a lead means nothing."""


@dataclass(frozen=True, kw_only=True)
class StudyDesign:
    """A comparison of strategies on a data set whose answers are known.

    Attributes:
        dataset: Folder or list in any layout that can be imported; cases without an answer are left out.
        strategies: Names in the registry, each once; missing `BASELINES` are added when the study runs.
        only: Compare exactly these strategies, without adding baselines; the report says so.
        seeds: Of the first cases, the trainings and the draws; every strategy runs with every seed.
        start: Cases of the shared first round.
        start_strategy: Chooses the first round; needs no predictions.
        batch: Cases of every later round.
        rounds: Rounds in all, the first included.
        steps: Training steps per model; 0 gives `minutes` instead, which makes results depend on the machine.
        minutes: Wall-clock budget per model when `steps` is 0; the network is shaped for it in any case (5 or more: folded).
        full_steps: Steps of the full-data model; 0 means as many as any other.
        samples: Answers drawn per case for uncertainty.
        members: Networks per model.
        warm_start: What every later round's training begins with: a `WarmStart`; true in a file means "all".
        cold_start: Features that a first round without a model may use: a `ColdStart`.
        cases: Use only so many cases, whole patients drawn by `split_seed`; 0 uses all.
        test_fraction: Share of the patients held out to measure every model; a split given by the source wins.
        validation_fraction: Share of the patients that every training may validate on; their answers come free and are not counted.
        split_seed: Of these shares; the same for all seeds, so that all models are measured on the same cases.
        outline_error_mm: How far the simulated annotator's outlines stray (standard deviation); 0 is perfect.
        tag_error: Share of wrong tags of the simulated annotator.
        format: Layout of the data set, or "auto".
    """

    dataset: str
    strategies: tuple[str, ...]
    only: bool = False
    seeds: tuple[int, ...] = (0, 1, 2)
    start: int = 8
    start_strategy: str = "random"
    batch: int = 8
    rounds: int = 4
    steps: int = 200
    minutes: float = 2.0
    full_steps: int = 0
    samples: int = 4
    members: int = 1
    warm_start: WarmStart = "scratch"
    cold_start: ColdStart = "descriptors"
    cases: int = 0
    test_fraction: float = 0.25
    validation_fraction: float = 0.0
    split_seed: int = 0
    outline_error_mm: float = 0.0
    tag_error: float = 0.0
    format: str = "auto"

    def __post_init__(self) -> None:
        _require_types(self)
        for name, values in (("strategies", self.strategies), ("seeds", self.seeds)):
            if not values or len(set(values)) != len(values):
                raise SettingError(f"A study needs at least one of {name}, each once, got {list(values)}")
        for name in self.strategies:
            strategy(name)
        words = (("warm_start", self.warm_start, get_args(WarmStart)), ("cold_start", self.cold_start, get_args(ColdStart)))
        for name, word, known in words:
            if word not in known:
                raise SettingError(f"{name} must be one of {', '.join(known)}, got {word!r}")
        if not strategy(self.start_strategy).needs <= COLD:
            raise SettingError(f"start_strategy must need no predictions, got {self.start_strategy!r}", remedy="use random or typiclust")
        rules: tuple[tuple[str, float, float, float], ...] = (
            ("start", self.start, 2, 100_000),
            ("batch", self.batch, 1, 100_000),
            ("rounds", self.rounds, 1, 1_000),
            ("steps", self.steps, 0, 10_000_000),
            ("full_steps", self.full_steps, 0, 10_000_000),
            ("minutes", self.minutes, 0.05, 10_000),
            ("samples", self.samples, 1, 100),
            ("members", self.members, 1, 20),
            ("cases", self.cases, 0, 10_000_000),
            ("test_fraction", self.test_fraction, 0.01, 0.8),
            ("validation_fraction", self.validation_fraction, 0, 0.5),
            ("outline_error_mm", self.outline_error_mm, 0, 100),
            ("tag_error", self.tag_error, 0, 1),
        )
        for name, value, low, high in rules:
            if not low <= value <= high:
                raise SettingError(f"{name} must lie between {low:g} and {high:g}, got {value:g}")
        if self.test_fraction + self.validation_fraction >= 1:
            raise SettingError(
                f"test and validation must leave patients to ask, got {self.test_fraction:g} and {self.validation_fraction:g}"
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
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(record) - known):
            raise SettingError(f"A study has no setting {unknown[0]!r}", remedy=f"it has {', '.join(sorted(known))}")
        try:
            values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
            if isinstance(values.get("warm_start"), bool):  # as it used to be said
                values["warm_start"] = "all" if values["warm_start"] else "scratch"
            return cls(**values)
        except TypeError as error:
            raise SettingError(f"Not a study: {error}") from error


def _require_types(design: StudyDesign) -> None:
    """Settings come from files too: a word where a number belongs is refused by name."""
    for field in dataclasses.fields(StudyDesign):
        value, wanted = getattr(design, field.name), type(field.default)
        if field.name in ("strategies", "seeds"):
            item = str if field.name == "strategies" else int
            if not isinstance(value, tuple) or not all(type(one) is item for one in value):
                raise SettingError(f"{field.name} must be a list of {'names' if item is str else 'whole numbers'}, got {value!r}")
        elif wanted in _WORDS and type(value) is not wanted and not (wanted is float and type(value) is int):
            raise SettingError(f"{field.name} must be {_WORDS[wanted]}, got {value!r}")


_WORDS = MappingProxyType({str: "text", int: "a whole number", float: "a number", bool: "true or false"})


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
