"""How often and how large labels are, as figures that leave a site: no count of few patients, and none that follows from the others.

Known of a patient is what a whole annotation annotates; parts and marks show what is there and not what is absent, and count in neither
number. A label that lies inside others, or overlaps them, is in a voxel of each.

Source of complementary suppression: Hundepool et al. 2012, Statistical Disclosure Control, doi:10.1002/9781118348239, chapter 5.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medloop.core.errors import BlobError
from medloop.core.image import Mask
from medloop.core.labels import chains, region_values
from medloop.core.records import Annotation, Case, Json, Label, Task
from medloop.loop.foundation.arrays import load_annotation
from medloop.loop.foundation.workspace import Workspace


@dataclass
class Counted:
    """A label over patients.

    Attributes:
        known: Patients of whom is known whether they have it.
        volumes: Patients who have it → its volume in ml in each of their cases; 0 for a class.
    """

    known: set[str] = field(default_factory=set)
    volumes: dict[str, list[float]] = field(default_factory=dict)

    @property
    def has(self) -> set[str]:
        """Patients who have it."""
        return set(self.volumes)


def label_statistics(workspace: Workspace, annotations: Sequence[Annotation], cases: Mapping[str, Case], *, fewest: int) -> Json:
    """Share of patients and median volume of each label, as far as no figure tells of fewer patients than `fewest`."""
    found = _counted(workspace, [one for one in annotations if one.is_whole], cases)
    labels = workspace.task.labels
    shown = shown_shares(labels, found, fewest=fewest, exclusive=workspace.task.kind == "classification")
    told: dict[str, Any] = {}
    for label in labels:
        one = found[label.value]
        if len(one.has) >= fewest:
            median = float(np.median([np.mean(each) for each in one.volumes.values()]))
            share = {"share_of_patients": round(len(one.has) / len(one.known), 3)} if label.value in shown else {}
            told[label.name] = {**share, "median_ml": float(f"{median:.4g}")}
    return told


def shown_shares(labels: Sequence[Label], found: Mapping[int, Counted], *, fewest: int, exclusive: bool) -> set[int]:
    """Values of the labels whose share can be told: neither who has it, nor who lacks it, nor what lies between it and others is few.

    Args:
        labels: Of the task.
        found: By value.
        fewest: Patients that a figure tells of at least; none at all is no patient's.
        exclusive: Whether every patient has one of the labels, as in a classification.
    """

    def few(patients: Collection[str]) -> bool:
        return 0 < len(patients) < fewest

    shown = {value for value, one in found.items() if len(one.has) >= fewest and not few(one.known - one.has)}
    around = chains(tuple(labels))
    for value in sorted(shown, key=lambda v: len(found[v].has)):
        outer = [of for of in around[value][1:] if of in shown]
        if any(few(found[of].has - found[value].has) for of in outer):
            shown.discard(value)
    everybody = set[str]().union(*(one.has for one in found.values()))
    while exclusive and shown and few(everybody - set[str]().union(*(found[value].has for value in shown))):
        shown.discard(min(shown, key=lambda v: (len(found[v].has), v)))
    return shown


def _counted(workspace: Workspace, annotations: Sequence[Annotation], cases: Mapping[str, Case]) -> dict[int, Counted]:
    labels = workspace.task.labels
    regions, found = region_values(labels), {label.value: Counted() for label in labels}
    with workspace.store.read() as tx:
        tasks = {name: tx.get(Task, name) for name in {one.task_id for one in annotations}}
    for one in annotations:
        case = cases[one.case_id]
        try:
            truth = load_annotation(workspace.store.blobs, one, case)
        except BlobError:
            continue
        for value in set(one.annotated or tasks[one.task_id].label_values) & found.keys():
            found[value].known.add(case.patient)
            there = np.isin(truth.array, regions[value]) if isinstance(truth, Mask) else np.asarray(truth == value)
            if there.any():
                per_voxel = float(np.prod(case.grid.spacing_mm)) / 1000 if isinstance(truth, Mask) else 0.0
                found[value].volumes.setdefault(case.patient, []).append(float(there.sum()) * per_voxel)
    return found
