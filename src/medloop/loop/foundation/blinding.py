"""What one annotator may see of the others' work on a case: nothing before they have read it, where the setting `blind` is on.

A gold case that somebody has open shows nothing either; once they have submitted, it shows its truth.
"""

from medloop.core.records import Annotation, Assignment
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import project_settings, readings_needed
from medloop.store.reader import Reader


def is_hidden(tx: Reader, case_id: str, annotator_id: str) -> bool:
    """Whether annotations of a case, and its consensus, are hidden from an annotator, who has not read it."""
    mine = tx.find(Assignment, where={"case_id": case_id, "annotator_id": annotator_id, "state": ["open", "submitted"]})
    checks = {one.state for one in mine if one.gold_id is not None}
    if checks:
        return "open" in checks
    return project_settings(tx).blind and own_annotation(tx, case_id, annotator_id) is None


def own_annotation(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """The annotator's full annotation of a case in force, if any."""
    return next((a for a in tx.current_annotations(case_ids=[case_id]) if a.annotator_id == annotator_id), None)


def seen_annotation(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """The annotation of a case in force, unless it is hidden from an annotator."""
    return None if is_hidden(tx, case_id, annotator_id) else standing_annotation(tx, case_id)


def begun_from(tx: Reader, case_id: str, annotator_id: str) -> Annotation | None:
    """What a draft of an annotator begins with: where several people read the case, their own annotation; else what they see of it."""
    settings = project_settings(tx)
    own = own_annotation(tx, case_id, annotator_id) if settings.blind or readings_needed(settings, case_id) > 1 else None
    return own or seen_annotation(tx, case_id, annotator_id)
