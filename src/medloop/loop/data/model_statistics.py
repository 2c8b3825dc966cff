"""What a model learned from, in numbers that can leave a site without its images; and how another site's cases differ from that.

Means and deviations over patients of what images look like (`medloop.images.appearance`) and of the model's embedding, and how often and
large each label is. Numbers over few patients tell of single ones: below `FEWEST` patients nothing is written, a label that fewer have is
left out, and so is a share from which a smaller number follows (`label_statistics`). A file from elsewhere is JSON of bounded size, and
numbers alone are taken of it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medloop import __version__
from medloop.core.arrays import FloatArray
from medloop.core.errors import BlobError, FormatError, InputError
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Json, Model
from medloop.images.appearance import appearance_names, scale_free
from medloop.loop.data.label_statistics import label_statistics
from medloop.loop.foundation.described import vector_of
from medloop.loop.foundation.learned import learned_of_snapshot
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.appearances import appearances, kept_appearances
from medloop.metrics.two_sample import patient_medians

FILE = "statistics.json"
FORMAT = "medloop_statistics"
FEWEST = 10
"""Patients below which a mean is not written: of fewer it says too much of each."""

MOST_BYTES = 4_000_000
FAR = 2.0
"""Deviations of the other site's patients from which this one's mean counts as far off."""


def statistics_of(workspace: Workspace, model: Model) -> Json:
    """The statistics of a model's training cases.

    Raises:
        InputError: Too few patients.
    """
    with workspace.store.read() as tx:
        answers = [tx.get(Annotation, i) for i in learned_of_snapshot(tx, model)]
        cases = {a.case_id: tx.get(Case, a.case_id) for a in answers}
        found = {p.case_id: p for p in tx.latest_predictions(model.id, among=list(cases))}
    looks = appearances(workspace, list(cases.values()))
    seen = [case for case in cases.values() if case.id in looks and len(looks[case.id]) == _usual(looks)]
    patients = [case.patient for case in seen]
    if len(set(patients)) < FEWEST:
        rule = f"Statistics need {FEWEST} training patients, model {model.index} has {len(set(patients))}"
        raise InputError(rule, remedy="export it as torchscript, without them")
    embedded = [(c.patient, vector) for c in seen if c.id in found and (vector := _embedding(workspace, found[c.id].features)) is not None]
    names = appearance_names(seen[0].channels)
    told: dict[str, Any] = {
        FORMAT: 1,
        "version": __version__,
        "cases": len(seen),
        "patients": len(set(patients)),
        "channels": seen[0].channels,
        "appearance": _summary(names, np.stack([looks[c.id] for c in seen]), patients),
        "labels": label_statistics(workspace, answers, cases, fewest=FEWEST),
    }
    if len({patient for patient, _ in embedded}) >= FEWEST:
        rows = patient_medians(np.stack([vector for _, vector in embedded]), [patient for patient, _ in embedded])
        told["embedding"] = {"mean": _rounded(rows.mean(axis=0)), "covariance": [_rounded(row) for row in np.atleast_2d(np.cov(rows.T))]}
    return told


def _usual(looks: Mapping[str, FloatArray]) -> int:
    sizes = [len(one) for one in looks.values()]
    return max(set(sizes), key=sizes.count) if sizes else 0


def _embedding(workspace: Workspace, name: str | None) -> FloatArray | None:
    try:
        return vector_of(workspace.store.blobs, name) if name else None
    except BlobError:
        return None


def _summary(names: Sequence[str], rows: FloatArray, patients: Sequence[str]) -> Json:
    middle = patient_medians(rows, patients)
    means, deviations = _rounded(middle.mean(axis=0)), _rounded(middle.std(axis=0, ddof=1))
    return {name: {"mean": mean, "deviation": off} for name, mean, off in zip(names, means, deviations, strict=True)}


def _rounded(values: FloatArray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def read_statistics(folder: Path) -> Json:
    """The statistics beside a model from elsewhere; {} without any.

    Raises:
        FormatError: The file is none of this kind.
    """
    file = folder / FILE
    if not folder.is_dir() or not file.is_file():
        return {}
    remedy = "export it again with medloop export --format shared-model, or remove the file"
    if file.stat().st_size > MOST_BYTES:
        raise FormatError(f"{FILE} has at most {MOST_BYTES / 1e6:.0f} MB, it has more", remedy=remedy)
    try:
        found = json.loads(file.read_text())
        if found[FORMAT] != 1:
            raise ValueError(f"format {found[FORMAT]}")
        appearance = {str(name): {key: _number(one[key]) for key in ("mean", "deviation")} for name, one in found["appearance"].items()}
        labels = {
            str(name): {key: _number(one[key]) for key in ("share_of_patients", "median_ml") if key in one}
            for name, one in found["labels"].items()
        }
        whole = {name: int(found[name]) for name in ("cases", "patients", "channels")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UnicodeDecodeError) as error:
        raise FormatError(f"{FILE} is no statistics of a model ({error})", remedy=remedy) from error
    return {FORMAT: 1, **whole, "appearance": appearance, "labels": labels}


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.40} is no number")
    return float(value)


def imported_drift(workspace: Workspace, *, since: str = "", most: int | None = None) -> list[str]:
    """How the unlabelled cases differ from what each imported model learned from, in words; a line says what was compared.

    Args:
        workspace: The project.
        since: Only cases added on this day (2026-11-30) or later.
        most: Images that are read which nobody looked at yet; None for all.
    """
    with workspace.store.read() as tx:
        models = [one for one in tx.find(Model, order=("index",)) if one.outside and one.metrics.get("statistics")]
        cases = [case for case in tx.unlabelled_cases(["train", "audit"], exclude_open=False) if case.added_at >= since] if models else []
    if not cases:
        return []
    known = kept_appearances(workspace, cases)
    new = [case for case in cases if case.id not in known]
    seen = [case for case in cases if case.id in known] + new[:most]
    left = f" ({counted(len(cases) - len(seen), 'unlabelled case')} not looked at yet)" if len(seen) < len(cases) else ""
    return [
        f"imported model {one.outside}, images against the statistics of its training patients: {line}{left}"
        for one in models
        for line in compared_with(workspace, one.metrics["statistics"], seen)
    ]


def compared_with(workspace: Workspace, statistics: Json, cases: Sequence[Case]) -> list[str]:
    """How cases here differ from those that a model from elsewhere learned from, in words; one line where they do not."""
    looks = appearances(workspace, cases)
    seen = [case for case in cases if case.id in looks and case.channels == statistics["channels"]]
    if not seen:
        return [f"no case here has the {counted(int(statistics['channels']), 'channel')} of those that it learned from"]
    names, rows = appearance_names(seen[0].channels), np.stack([looks[case.id] for case in seen])
    means = patient_medians(rows, [case.patient for case in seen]).mean(axis=0)
    free = {names[n] for n in scale_free(seen[0].channels)} | set(names[-6:])
    off = []
    for name, mean in zip(names, means, strict=True):
        theirs = statistics["appearance"].get(name)
        if theirs is not None and name in free and theirs["deviation"] > 0:
            distance = (float(mean) - theirs["mean"]) / theirs["deviation"]
            if abs(distance) > FAR:
                off.append(f"{name} {distance:+.1f} deviations")
    of = f"the {statistics['patients']} patients that it learned from"
    if not off:
        return [f"{counted(len(seen), 'case')} here look like {of}: no number of their images is {FAR:g} deviations off"]
    return [f"{counted(len(seen), 'case')} here differ from {of}: {', '.join(off)}"]
