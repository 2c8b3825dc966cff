"""How a segmentation is judged in the report: Dice per label over patients, and predicted against annotated size."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
from markupsafe import Markup

from medloop.core.names import counted
from medloop.core.records import Case, Label
from medloop.loop.foundation.arrays import load_mask, load_proposal
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.judged import Judged, JudgedCase
from medloop.metrics.limits import Agreement, limits_of_agreement
from medloop.report.axes import number
from medloop.report.charts import Row, bland_altman, distribution
from medloop.report.markup import element, joined, note

MOST_VOXELS = 2_000_000_000
"""Volumes are counted in so many voxels at most per report: about a minute the first time."""

MOST_LABELS = 6

Sizes: TypeAlias = tuple[Mapping[str, int], Mapping[str, int]]
"""Voxels of every label value, as text, in a case's annotation and in its prediction."""


def dice_section(workspace: Workspace, judged: Judged) -> Markup:
    """Dice of every label, a dot per patient."""
    by_label: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in judged.cases:
        for name, value in one.scores.items():
            by_label[name][one.case.patient].append(value)
    rows = [
        Row(label.name, [float(np.mean(values)) for values in by_label[label.name].values()], label.colour)
        for label in workspace.task.labels
        if label.name in by_label
    ]
    words = "A dot per patient; stroke: median; bar: middle half."
    return joined((distribution(rows, title="Dice"), note(words))) if rows else note("No case can be shown.")


def volume_section(workspace: Workspace, judged: Judged, left_out: LeftOut) -> Markup:
    """Predicted against annotated volume or area, label by label."""
    counts = _counts(workspace, judged.cases, left_out)
    labels = [label for label in workspace.task.labels if any(label.name in one.scores for one in judged.cases)]
    charts = [_agreement(label, judged.cases, counts) for label in labels[:MOST_LABELS]]
    missing = len(judged.cases) - len(counts)
    said = [
        "Above 0: predicted too large. Dashed: mean difference and limits of agreement, within which 95 % of normal differences lie; "
        "a dot per patient.",
        f"Shown are the first {MOST_LABELS} of {len(labels)} labels." if len(labels) > MOST_LABELS else "",
        f"{counted(missing, 'case')} not measured." if missing else "",
    ]
    return joined((element("div", *charts, class_="figures wide"), note(" ".join(filter(None, said)))))


def _counts(workspace: Workspace, cases: Sequence[JudgedCase], left_out: LeftOut) -> dict[str, Sizes]:
    """By case id."""
    found: dict[str, Sizes] = {}
    spent = 0
    with memo(workspace, "volumes") as known:
        for one in sorted(cases, key=lambda one: one.case.id):  # ids are random, and so is what comes first
            spent += prod(one.case.grid.shape)
            if found and spent > MOST_VOXELS:
                break
            with left_out.case(one.case):
                found[one.case.id] = _counted(workspace, one, known)
    return found


def _counted(workspace: Workspace, one: JudgedCase, known: Memo) -> Sizes:
    blobs = workspace.store.blobs
    truth = known.get(str(one.annotation.blob), lambda: _sizes(load_mask(blobs, one.annotation, one.case).array))
    predicted = known.get(str(one.prediction.mask), lambda: _sizes(load_proposal(blobs, one.prediction, one.case)))
    return truth, predicted


def _sizes(mask: np.ndarray) -> dict[str, int]:
    return {str(value): int(count) for value, count in enumerate(np.bincount(mask.ravel())) if count and value}


def _agreement(label: Label, cases: Sequence[JudgedCase], counts: Mapping[str, Sizes]) -> Markup:
    measured = [one.case for one in cases if one.case.id in counts and label.name in one.scores]
    if not measured:
        return note(f"{label.name}: no case was measured.")
    unit, sizes = _unit(measured)
    key = str(label.value)
    true, predicted = (
        np.array([counts[c.id][side].get(key, 0) * size for c, size in zip(measured, sizes, strict=True)]) for side in (0, 1)
    )
    patients = [case.patient for case in measured]
    found = limits_of_agreement(predicted, true, patients)
    words = _words(label, found, unit)
    if found.low is None:
        return element("figure", element("figcaption", words))
    means = {p: [float(values[[q == p for q in patients]].mean()) for values in (predicted, true)] for p in patients}
    chart = bland_altman(label.name, [(name, p, t) for name, (p, t) in means.items()], found, unit=unit, colour=label.colour)
    return element("figure", chart, element("figcaption", words))


def _words(label: Label, found: Agreement, unit: str) -> Markup:
    mean = f" mean difference {number(found.mean, digits=3, sign='+')} {unit} over {counted(found.patients, 'patient')}"
    if found.low is None or found.high is None or found.unsure is None:
        return joined((element("b", f"{label.name}:"), f"{mean}; {found.note}."))
    low, high = (number(limit, digits=3, sign="+") for limit in (found.low, found.high))
    limits = f"; limits {low} to {high} {unit}, each uncertain by ± {number(found.unsure, digits=2)} {unit} (95 %)."
    return joined((element("b", f"{label.name}:"), mean, limits))


def _unit(cases: Sequence[Case]) -> tuple[str, list[float]]:
    """The unit of sizes, and that of a voxel of every case in it; pictures without a stored pixel size are counted in pixels."""
    if any(not case.grid.is_2d for case in cases):
        return "ml", [abs(float(np.linalg.det(case.grid.affine[:3, :3]))) / 1000.0 for case in cases]
    areas = [case.grid.spacing_mm[0] * case.grid.spacing_mm[1] for case in cases]
    return ("pixels", [1.0] * len(cases)) if all(case.grid.spacing_mm[:2] == (1.0, 1.0) for case in cases) else ("mm²", areas)
