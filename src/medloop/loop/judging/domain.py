"""Whether a case is like those that a model learned from and was judged on: its distance from them, and how often one is as far by chance.

A case is described twice: by the model's embedding, and by what its image looks like, free of units (`medloop.images.appearance`). Its
distance from the training cases is held against those of the evaluated patients, from which the model never learned: a conformal p-value.
Where too few training cases have an embedding by the model, the distance is from the evaluated cases, each of these left out once.
Nothing of it is stored: a model's training cases stand still, and the evaluated ones grow.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from medloop.core.arrays import Features, FloatArray
from medloop.core.errors import BlobError
from medloop.core.records import Case, Model
from medloop.images.appearance import scale_free
from medloop.loop.foundation.described import Report, vector_of
from medloop.loop.foundation.learned import learned_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.appearances import appearances
from medloop.metrics.outlying import conformal_p, fit_distances, is_outside
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

FEWEST_HELD_OUT = 8
"""Evaluated patients below which nothing is said: with seven, one case in eight would be called outside by chance."""

FEWEST_TRAINING = 8
MOST_MADE = 200
"""Images that are read in one go for what they look like, where somebody waits; the others follow with the next."""

NEVER = ""


@dataclass(frozen=True, eq=False)
class Described:
    """Cases in numbers.

    Attributes:
        cases: In the order of the rows.
        embeddings: Of the model, shape (cases, dimensions).
        raw: Their appearance, shape (cases, numbers).
    """

    cases: tuple[Case, ...]
    embeddings: Features
    raw: Features

    @property
    def looks(self) -> Features:
        """What of the appearance has no unit, shape (cases, channels × 7)."""
        return self.raw[:, scale_free(self.cases[0].channels)] if self.cases else self.raw

    @property
    def patients(self) -> list[str]:
        """The patient of each row."""
        return [case.patient for case in self.cases]

    def __len__(self) -> int:
        return len(self.cases)

    def where(self, wanted: Collection[str]) -> "Described":
        """Only the cases of these ids."""
        kept = [n for n, case in enumerate(self.cases) if case.id in wanted]
        return Described(tuple(self.cases[n] for n in kept), self.embeddings[kept], self.raw[kept])

    @property
    def together(self) -> Features:
        """Both descriptions side by side."""
        return np.concatenate([self.embeddings, self.looks], axis=1)


@dataclass(frozen=True, eq=False)
class Domain:
    """What a model is known to be for.

    Attributes:
        training: Cases that it learned from; none where the evaluated ones stand in for them.
        held_out: Evaluated cases, with which chance is measured.
        note: Why nothing can be said, in words; "" where it can.
    """

    model: Model
    training: Described
    held_out: Described
    note: str = NEVER

    @property
    def patients(self) -> int:
        """Evaluated patients."""
        return len(set(self.held_out.patients))


@dataclass(frozen=True)
class Standing:
    """How a case stands to a domain.

    Attributes:
        p: Chance that a case of the domain lies as far out.
        outside: Whether that is too little to take it for one.
    """

    p: float
    outside: bool


Standings = Mapping[str, Standing]
"""By id of the case; cases of which nothing can be said are not in it."""

NOTHING: Standings = MappingProxyType({})


def known_domain(workspace: Workspace, model: Model, *, most: int | None = MOST_MADE, report: Report | None = None) -> Domain:
    """The domain of a model, as far as its predictions and evaluations show it; `most` images are read that were never looked at."""
    with workspace.store.read() as tx:
        learned, judged = learned_cases(tx, model), _evaluated_ids(tx, model)
        cases = {case.id: case for case in tx.find(Case, where={"id": [*learned, *judged]})}
    evaluated = set(judged)
    first = sorted(cases.values(), key=lambda case: case.id not in evaluated)  # without these nothing can be said, whatever else is read
    known = described(workspace, model, first, most=most, report=report)
    training, held_out = known.where(set(learned) - evaluated), known.where(evaluated)
    return domain_of(model, training if len(set(training.patients)) >= FEWEST_TRAINING else known.where(()), held_out)


def domain_of(model: Model, training: Described, held_out: Described, day: str = "") -> Domain:
    """The domain that these cases make, those added before `day`; with too few evaluated patients it says so."""
    patients, note = len(set(held_out.patients)), NEVER
    if patients < FEWEST_HELD_OUT:
        before = f" and added before {day}" if day else ""
        note = f"needs {FEWEST_HELD_OUT} evaluated patients with an embedding by model {model.index}{before}, got {patients}"
    return Domain(model, training, held_out, note)


def standings(domain: Domain, cases: Described) -> Standings:
    """How each case stands to a domain; nothing where the domain is not known, or for cases of other dimensions."""
    if domain.note or not len(cases):
        return NOTHING
    held, of_new = _distances(domain, cases)
    p_values = conformal_p(of_new, held, domain.held_out.patients)
    outside = is_outside(p_values, domain.patients)
    return {case.id: Standing(float(p), bool(out)) for case, p, out in zip(cases.cases, p_values, outside, strict=True)}


def described(
    workspace: Workspace,
    model: Model,
    cases: Sequence[Case],
    *,
    like: Described | None = None,
    most: int | None = MOST_MADE,
    report: Report | None = None,
) -> Described:
    """The cases that the model has predicted and whose image could be read, in numbers.

    All have as many channels and numbers: as `like`, else as most of them.
    """
    with workspace.store.read() as tx:
        found = {p.case_id: p for p in tx.latest_predictions(model.id, among=[case.id for case in cases])}
    seen = [case for case in cases if case.id in found and found[case.id].features]
    looks = appearances(workspace, seen, most=most, report=report)
    rows: list[tuple[Case, FloatArray, FloatArray]] = []
    for case in seen:
        vector = _embedding(workspace.store.blobs, str(found[case.id].features))
        if vector is not None and case.id in looks and np.isfinite(vector).all():
            rows.append((case, vector, looks[case.id]))
    counted = Counter((len(vector), len(raw)) for _, vector, raw in rows)
    usual = (
        (like.embeddings.shape[1], like.raw.shape[1])
        if like is not None and len(like)
        else max(counted, key=counted.__getitem__, default=(0, 0))
    )
    rows = [row for row in rows if (len(row[1]), len(row[2])) == usual]
    if not rows:
        return Described((), np.zeros((0, 0)), np.zeros((0, 0)))
    return Described(tuple(case for case, _, _ in rows), np.stack([v for _, v, _ in rows]), np.stack([v for _, _, v in rows]))


def _distances(domain: Domain, cases: Described) -> tuple[FloatArray, FloatArray]:
    """Of the held-out cases and of the others, shape (cases, 2) each: by embedding and by appearance."""
    held_out, pairs = domain.held_out, []
    for known, held, new in (
        (domain.training.embeddings, held_out.embeddings, cases.embeddings),
        (domain.training.looks, held_out.looks, cases.looks),
    ):
        if len(known):
            far = fit_distances(known)
            pairs.append((far(held), far(new)))
        else:
            pairs.append((_left_out(held, held_out.patients), fit_distances(held)(new)))
    return np.stack([held for held, _ in pairs], axis=1), np.stack([new for _, new in pairs], axis=1)


def _left_out(rows: Features, patients: Sequence[str]) -> FloatArray:
    """Distance of each case from those of the other patients."""
    found, of = np.zeros(len(rows)), np.array(patients)
    for patient in sorted(set(patients)):
        own = of == patient
        found[own] = fit_distances(rows[~own])(rows[own])
    return found


def _evaluated_ids(tx: Reader, model: Model) -> list[str]:
    return list(dict.fromkeys(case_id for e in tx.current_evaluations(model_id=model.id) for case_id in e.per_case))


def _embedding(blobs: Blobs, name: str) -> FloatArray | None:
    """None where its bytes are damaged or gone."""
    try:
        return vector_of(blobs, name)
    except BlobError:
        return None
