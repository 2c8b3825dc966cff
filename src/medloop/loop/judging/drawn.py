"""What the queried cases say about the pool: each model's mean score over the pool that it saw, from what was drawn since.

Queried cases were chosen, so their plain mean is not the pool's. Where a strategy drew them, and every case left had a chance that was
kept with the query, weights make it right (`medloop.query.budget.drawn_mean`). A model is judged on cases drawn after it was trained, of
which it has learned nothing; so the newest model is judged only once some of its own queries are annotated.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np

from medloop.core.errors import MedloopError
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Choice, Model, Prediction, Query, Round
from medloop.loop.foundation.annotated_labels import AnnotatedLabels, annotated_labels
from medloop.loop.foundation.consensus import consensus_annotations
from medloop.loop.foundation.label_versions import labels_of_model
from medloop.loop.foundation.leaning import leaning_words, leans_on_proposal
from medloop.loop.foundation.learned import learned_cases
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.case_scores import score_case
from medloop.loop.judging.draw_chains import chains_of
from medloop.metrics.intervals import Interval
from medloop.query.budget.drawn_mean import Draws, drawn_mean
from medloop.store.reader import Reader

MODELS = 10
"""So many newest models are judged: as many as a curve's pace is taken from."""

AT_A_LOOK = 40
"""New comparisons of masks at a look, so that a page stays quick; the worker makes all."""

NOTHING_DRAWN = "no estimate from the queried cases: none was drawn and annotated since the model was trained"


@dataclass(frozen=True, eq=False)
class DrawnEstimate:
    """One model on the pool that it saw, by the cases drawn since.

    Attributes:
        mean, low, high: Importance-weighted score (LURE) with its 95 % interval, of this pool; None without.
        note: Why there is no estimate or no interval; "" where there is one.
        cases, patients: Judged draws and their patients.
        pool: Cases before the first draw.
        plain: Mean score of the same cases as they are: it is biased by the choice.
        warning: What flatters the score, in words; "" for nothing.
        labelled_cases: Cases that the model learned from.
        draws: What it was made of; None without an estimate.
    """

    model_index: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""
    cases: int = 0
    patients: int = 0
    pool: int = 0
    plain: float | None = None
    warning: str = ""
    labelled_cases: int = 0
    draws: Draws | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Known:
    """What all models are judged by."""

    queries: Sequence[tuple[int, Query]]
    annotations: Mapping[str, Annotation]
    left_out: frozenset[str]
    cases: Mapping[str, Case]
    scope: AnnotatedLabels
    spread: Callable[[], float]


def drawn_estimates(workspace: Workspace, *, most: int | None = AT_A_LOOK) -> list[DrawnEstimate]:
    """An estimate, or why there is none, for each of the newest models that learned something different, oldest first.

    Args:
        workspace: The project.
        most: Comparisons of masks that were never made and may be made now; None for all. What lies behind is left for later.
    """
    with workspace.store.read() as tx:
        models = tx.distinct_models()[-MODELS:]
        known = _known(tx, workspace) if models else None
    if known is None:
        return []
    budget = _Budget(most)
    with memo(workspace, "drawn") as kept:
        return [_estimate(workspace, model, known, kept, budget) for model in models]


def newest_estimate(estimates: Sequence[DrawnEstimate]) -> DrawnEstimate | None:
    """The estimate that stands for the project: of the newest model with an interval, else with a mean; else why there is none."""
    sure = [e for e in estimates if e.low is not None] or [e for e in estimates if e.mean is not None]
    if sure:
        return sure[-1]
    return estimates[-1] if estimates else None


@dataclass
class _Budget:
    left: int | None

    def spend(self) -> bool:
        """Whether one more comparison may be made."""
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


def _known(tx: Reader, workspace: Workspace) -> _Known:
    rounds = [r for r in tx.find(Round, order=("index",)) if r.query_id]
    order = tx.event_numbers(Query, [str(r.query_id) for r in rounds])
    queries = [(order[str(r.query_id)], tx.get(Query, str(r.query_id))) for r in rounds]
    ids = sorted({c.case_id for _, query in queries for c in query.choices})
    cases = {c.id: c for c in tx.find(Case, where={"id": ids, "split": "train"})} if ids else {}
    return _Known(
        queries=queries,
        annotations={a.case_id: a for a in consensus_annotations(tx, "train") if a.case_id in cases} if cases else {},
        left_out=frozenset(tx.left_out_cases(["train"])) if cases else frozenset(),
        cases=cases,
        scope=annotated_labels(tx, workspace.task),
        spread=cache(lambda: _spread(workspace)),
    )


def _spread(workspace: Workspace) -> float:
    """Cases of a training patient in the mean; it counts the pool, so that it waits until there is something to weigh."""
    with workspace.store.read() as tx:
        return tx.cases_per_patient("train")


def _estimate(workspace: Workspace, model: Model, known: _Known, kept: Memo, budget: _Budget) -> DrawnEstimate:
    with workspace.store.read() as tx:
        trained = tx.event_numbers(Model, [model.id])[model.id]
        learned = set(learned_cases(tx, model))
        later = [query for number, query in known.queries if number > trained]
        chains, lacking = chains_of(later, known.cases)
        seen = _predictions(tx, model, [c.case_id for chain in chains for c in chain])
    chain = max(reversed(chains), key=lambda one: _judgeable(known, _Seen(one, seen, learned)))
    nothing = DrawnEstimate(model.index, note=lacking or NOTHING_DRAWN, labelled_cases=len(learned))
    scores = _scores(workspace, model, known, _Seen(chain, seen, learned), kept, budget)
    judged = [score for score in scores if score is not None]
    if not judged:
        return nothing
    return _made(workspace, nothing, known, chain[: len(scores)], scores)


@dataclass(frozen=True)
class _Seen:
    chain: Sequence[Choice]
    predictions: Mapping[str, Prediction]
    learned: set[str]


def _judgeable(known: _Known, seen: _Seen) -> int:
    """How many draws of a run can be judged, up to the first one that waits."""
    return sum(not is_left_out for _, is_left_out in _resolved(known, seen))


def _resolved(known: _Known, seen: _Seen) -> Iterator[tuple[Choice, bool]]:
    """The draws up to the first one that waits, and whether people skipped or flagged each."""
    for choice in seen.chain:
        annotated = choice.case_id in known.annotations
        if not annotated and choice.case_id in known.left_out:
            yield choice, True
        elif annotated and choice.case_id in seen.predictions and choice.case_id not in seen.learned:
            yield choice, False
        else:
            return


def _predictions(tx: Reader, model: Model, case_ids: Sequence[str]) -> dict[str, Prediction]:
    found = tx.find(Prediction, where={"model_id": model.id, "case_id": list(case_ids)}) if case_ids else []
    return {p.case_id: p for p in found}


def _scores(workspace: Workspace, model: Model, known: _Known, seen: _Seen, kept: Memo, budget: _Budget) -> list[float | None]:
    """Score of each draw up to the first one that waits; None for those that people skipped or flagged."""
    learnt, found = set(labels_of_model(model, workspace.task)), list[float | None]()
    for choice, is_left_out in _resolved(known, seen):
        if is_left_out:
            found.append(None)
            continue
        truth, prediction = known.annotations[choice.case_id], seen.predictions[choice.case_id]
        labels = [label for label in known.scope.of(truth) if label in learnt]
        key = f"{prediction.id} {truth.id} {','.join(label.name for label in labels)}"
        if key not in kept.values and not budget.spend():
            break
        try:
            scores = kept.get(key, partial(score_case, workspace, truth, known.cases[truth.case_id], prediction, labels))
        except MedloopError:  # damaged: it keeps its place, as a skipped case does
            scores = {}
        found.append(float(np.mean(list(scores.values()))) if scores else None)
    return found


def _made(
    workspace: Workspace, nothing: DrawnEstimate, known: _Known, chain: Sequence[Choice], scores: Sequence[float | None]
) -> DrawnEstimate:
    with workspace.store.read() as tx:
        drawn = [known.cases[c.case_id] for c in chain]
        beside = tx.find(Case, where={"patient": sorted({c.patient for c in drawn}), "split": "train"})
        leaning = sum(leans_on_proposal(tx, known.annotations[c.id]) for c, s in zip(drawn, scores, strict=True) if s is not None)
    each = Counter(c.patient for c in beside)
    draws = Draws(
        losses=np.array([0.0 if s is None else 1.0 - s for s in scores]),
        chances=np.array([c.probability for c in chain], dtype=np.float64),
        pool=int(chain[0].left or 0),
        patients=[c.patient for c in drawn],
        shares=np.array([known.spread() / each[c.patient] for c in drawn]),
        judged=np.array([s is not None for s in scores]),
        scaled=known.spread() == 1.0,  # else the pool may hold other patients than all training cases together
    )
    found: Interval = drawn_mean(draws)
    judged = [s for s in scores if s is not None]
    skipped = len(scores) - len(judged)
    words = (
        leaning_words(leaning, len(judged)),
        f"{counted(skipped, 'case')} skipped, flagged or damaged: it says nothing of such" if skipped else "",
    )
    return DrawnEstimate(
        model_index=nothing.model_index,
        mean=found.mean,
        low=found.low,
        high=found.high,
        note=found.note,
        cases=len(judged),
        patients=found.groups,
        pool=draws.pool,
        plain=float(np.mean(judged)),
        warning="; ".join(filter(None, words)),
        labelled_cases=nothing.labelled_cases,
        draws=draws,
    )
