"""A study of several data sets with several budgets, as one TOML file.

    strategies = ["entropy", "bald"]        # random and foreground are added
    seeds = [0, 1, 2]
    steps = 200                             # any setting of a study holds for every data set ...

    [[budgets]]
    name = "small"
    start = 4
    batch = 4
    rounds = 4

    [[datasets]]
    path = "../data/hippocampus"            # relative to this file
    steps = 300                             # ... unless the data set has its own

Every data set meets every budget: one study each, in a folder of its own.
"""

import dataclasses
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medloop.core.errors import FormatError, NotFoundError, SettingError
from medloop.core.records import Json
from medloop.simulation.design import StudyDesign

BUDGET = ("start", "batch", "rounds")
EQUAL_FOR_ALL = ("strategies", "only", "seeds")
"""Settings that no data set may have of its own, since ranks over data sets would compare different things."""

OF_A_STUDY = tuple(f.name for f in dataclasses.fields(StudyDesign) if f.name != "dataset")
OF_A_DATASET = ("path", "name", "budgets", *(name for name in OF_A_STUDY if name not in (*EQUAL_FOR_ALL, *BUDGET)))
OF_A_BUDGET = ("name", *BUDGET)


@dataclass(frozen=True)
class Part:
    """One data set with one budget.

    Attributes:
        dataset: Name of the data set within the suite.
        budget: Name of the budget, "" if there is only one without a name.
        design: What is run.
    """

    dataset: str
    budget: str
    design: StudyDesign

    @property
    def name(self) -> str:
        """Unique within the suite; also the name of its folder."""
        return f"{self.dataset}-{self.budget}" if self.budget else self.dataset

    def folder(self, out: Path) -> Path:
        """Where its study lives."""
        return out / "studies" / self.name


@dataclass(frozen=True)
class Suite:
    """Everything one file asks for.

    Attributes:
        parts: Data sets in the order of the file, each with its budgets in order.
    """

    parts: tuple[Part, ...]

    def to_json(self) -> Json:
        """The suite as plain values."""
        return {"parts": [{"dataset": p.dataset, "budget": p.budget, "design": p.design.to_json()} for p in self.parts]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Suite":
        """Inverse of `to_json`.

        Raises:
            SettingError: A design is not one.
        """
        return cls(tuple(Part(p["dataset"], p["budget"], StudyDesign.from_json(p["design"])) for p in record["parts"]))


def read_suite(path: Path) -> Suite:
    """Read a study file; paths in it are relative to it.

    Raises:
        NotFoundError: No such file.
        FormatError: It is no TOML.
        SettingError: An unknown key, a value outside its range, or two parts of one name.
    """
    if not path.is_file():
        raise NotFoundError(f"No such study file: {path}", remedy="check the path")
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path.name} is no TOML: {' '.join(str(error).split())}", remedy="correct that place") from error
    return suite_of(record, path.resolve().parent)


def suite_of(record: Mapping[str, Any], folder: Path) -> Suite:
    """The suite that a parsed study file asks for.

    Args:
        record: As TOML gives it.
        folder: What relative paths start from.

    Raises:
        SettingError: An unknown key, a value outside its range, or two parts of one name.
    """
    _require_known("A study file", record, ("datasets", "budgets", *OF_A_STUDY))
    common = {name: value for name, value in record.items() if name not in ("datasets", "budgets")}
    datasets = _tables("datasets", record.get("datasets", []))
    if not datasets:
        raise SettingError("A study file needs at least one [[datasets]] with a path, got none")
    parts = [part for dataset in datasets for part in _parts(dataset, common, record.get("budgets", []), folder)]
    names = [part.name for part in parts]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingError(f"Every data set and budget needs a name of its own, got {twice[0]!r} twice", remedy="give one a name")
    return Suite(tuple(parts))


def _parts(dataset: Mapping[str, Any], common: Mapping[str, Any], budgets: object, folder: Path) -> list[Part]:
    _require_known("A data set", dataset, OF_A_DATASET)
    if not isinstance(dataset.get("path"), str):
        raise SettingError(f"A data set needs a path, got {dataset.get('path')!r}")
    source = (folder / dataset["path"]).resolve()
    own = {name: value for name, value in dataset.items() if name not in ("path", "name", "budgets")}
    name = _safe(str(dataset.get("name", source.stem if source.suffix else source.name)))
    found = []
    for budget in _tables("budgets", dataset.get("budgets", budgets)) or [{}]:
        _require_known("A budget", budget, OF_A_BUDGET)
        sizes = {key: value for key, value in budget.items() if key != "name"}
        design = StudyDesign.from_json({**common, **own, **sizes, "dataset": str(source)})
        found.append(Part(name, _budget_name(budget, design), design))
    return found


def _budget_name(budget: Mapping[str, Any], design: StudyDesign) -> str:
    """Its own name, or its numbers: first round + later rounds × their size."""
    return _safe(str(budget["name"])) if "name" in budget else f"{design.start}+{design.rounds - 1}x{design.batch}" if budget else ""


def _tables(name: str, value: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise SettingError(f"{name} must be a list of tables, got {value!r}", remedy=f"write [[{name}]]")
    return value


def _require_known(what: str, record: Mapping[str, Any], known: Sequence[str]) -> None:
    if unknown := sorted(set(record) - set(known)):
        raise SettingError(f"{what} has no setting {unknown[0]!r}", remedy=f"it has {', '.join(sorted(known))}")


def _safe(name: str) -> str:
    """A name that is also a folder's on every system."""
    safe = re.sub(r"[^A-Za-z0-9+_.-]+", "-", name).strip("-.")
    if not safe:
        raise SettingError(f"A name needs letters or digits, got {name!r}")
    return safe
