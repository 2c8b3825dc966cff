"""Which cases a model has learned from."""

from medloop.core.records import Annotation, Model, Snapshot
from medloop.store.reader import Reader


def learned_cases(tx: Reader, model: Model) -> list[str]:
    """Ids of the cases whose annotations a model was trained on, in the order they were annotated; none of a model from elsewhere."""
    if model.outside:
        return []
    ids = list(tx.get(Snapshot, model.snapshot_id).annotation_ids)
    return list(dict.fromkeys(annotation.case_id for annotation in tx.find(Annotation, where={"id": ids}))) if ids else []
