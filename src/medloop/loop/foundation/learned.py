"""Which annotations and cases a model has learned from: itself, and through the models that its training went on from.

A snapshot names every annotation there was; what a model learned of it stands in its metrics where that was a part (`learned`), and so does
the model it went on from (`parent`) or that it is an adaptation of (`adapted_from`).
"""

from collections.abc import Iterator

from medloop.core.records import Annotation, Json, Model, Snapshot
from medloop.store.reader import Reader

CHAIN = ("learned", "parent")
"""What of a model's metrics says what it learned."""

ADAPTED_FROM = "adapted_from"
"""Among a model's metrics the index of the one that it is an adaptation of."""

SURER_ON = "sharpened_on"
"""What of a model's metrics names the cases on whose images its entropy was minimised."""


def learned_cases(tx: Reader, model: Model) -> list[str]:
    """Ids of the cases whose annotations a model was trained on, in the order they were annotated; none of a model from elsewhere."""
    ids = learned_annotations(tx, model)
    return list(dict.fromkeys(annotation.case_id for annotation in tx.find(Annotation, where={"id": ids}))) if ids else []


def fitted_cases(tx: Reader, model: Model) -> set[str]:
    """Ids of the cases that its weights know: those it learned, and those on whose images a model of its chain was made surer."""
    return {*learned_cases(tx, model), *(i for one in _chain(tx, model) for i in one.metrics.get(SURER_ON, ()))}


def learned_annotations(tx: Reader, model: Model) -> list[str]:
    """Ids of all annotations that are in a model's weights, those of the first model of its chain first; none of a model from elsewhere."""
    chain = list(_chain(tx, model))
    return list(dict.fromkeys(i for one in reversed(chain) for i in learned_itself(tx, one)))


def learned_itself(tx: Reader, model: Model) -> list[str]:
    """Ids of the annotations that its own training showed it: a part of its snapshot, where it went on from another model."""
    if model.outside:
        return []
    part = model.metrics.get("learned")
    return list(tx.get(Snapshot, model.snapshot_id).annotation_ids if part is None else part)


def learned_of_snapshot(tx: Reader, model: Model) -> list[str]:
    """Ids of the annotations of its snapshot, in that order, that it or a model before it learned."""
    known = set(learned_annotations(tx, model))
    return [i for i in tx.get(Snapshot, model.snapshot_id).annotation_ids if i in known]


def _chain(tx: Reader, model: Model) -> Iterator[Model]:
    """A model and those it comes from, newest first."""
    found: list[Model] = [model]
    while found:
        yield found[0]
        where = _before(found[0].metrics)
        found = tx.find(Model, where=where, limit=1) if where else []


def _before(metrics: Json) -> Json:
    if "parent" in metrics:
        return {"id": metrics["parent"]}
    return {"index": metrics[ADAPTED_FROM]} if ADAPTED_FROM in metrics else {}
