"""What one annotator may see of the others' work on a case: nothing before they have read it, where the setting `blind` is on."""

from medloop.core.records import Annotation
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import DERIVED, project_settings, readings_needed
from medloop.store.reader import Reader


def is_hidden(tx: Reader, case_id: str, annotator_id: str) -> bool:
    """Whether annotations of a case, and its consensus, are hidden from an annotator, who has not read it."""
    given = tx.current_annotations(case_ids=[case_id]) if project_settings(tx).blind else []
    return project_settings(tx).blind and not any(a.annotator_id == annotator_id for a in given)


def hidden_cases(tx: Reader, annotator_id: str) -> set[str]:
    """The annotated cases whose annotations are hidden from an annotator."""
    if not project_settings(tx).blind:
        return set()
    found = tx.current_annotations()
    return {a.case_id for a in found} - {a.case_id for a in found if a.annotator_id == annotator_id}


def own_annotation(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """The annotator's own reading of a case in force, if any."""
    given = tx.current_annotations(case_ids=[case_id])
    return next((a for a in given if a.annotator_id == annotator_id and a.origin not in DERIVED), None)


def seen_annotation(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """The annotation of a case in force, unless it is hidden from an annotator."""
    return None if is_hidden(tx, case_id, annotator_id) else standing_annotation(tx, case_id)


def begun_from(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """What a draft of an annotator begins with: where several people read the case, their own annotation; else what they see of it."""
    settings = project_settings(tx)
    own = own_annotation(tx, case_id, annotator_id) if settings.blind or readings_needed(settings, case_id) > 1 else None
    return own or seen_annotation(tx, case_id, annotator_id)
