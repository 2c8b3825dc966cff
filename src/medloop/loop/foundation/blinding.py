"""What one annotator may see of the others' work on a case: nothing before they have read it, where the setting `blind` is on.

A gold case that somebody has open shows nothing either; once they have submitted, it shows its truth.
"""

from collections.abc import Collection

from medloop.core.records import Annotation, Assignment
from medloop.loop.foundation.in_force import standing_annotation
from medloop.loop.foundation.readings import DERIVED, project_settings, readings_due
from medloop.store.reader import Reader


def is_hidden(tx: Reader, case_id: str, annotator_id: str) -> bool:
    """Whether annotations of a case, and its consensus, are hidden from an annotator, who has not read it."""
    checks = _gold_checks(tx, annotator_id, [case_id])
    if case_id in checks:
        return checks[case_id]
    given = tx.current_annotations(case_ids=[case_id]) if project_settings(tx).blind else []
    return project_settings(tx).blind and not any(a.annotator_id == annotator_id for a in given)


def hidden_cases(tx: Reader, annotator_id: str) -> set[str]:
    """The annotated cases whose annotations are hidden from an annotator."""
    checks = _gold_checks(tx, annotator_id)
    found = tx.current_annotations() if project_settings(tx).blind else []
    hidden = {a.case_id for a in found} - {a.case_id for a in found if a.annotator_id == annotator_id}
    return {i for i in hidden if checks.get(i, True)} | {i for i, is_open in checks.items() if is_open}


def _gold_checks(tx: Reader, annotator_id: str, case_ids: Collection[str] | None = None) -> dict[str, bool]:
    """The gold cases that an annotator has read, or has open (True)."""
    where = {"annotator_id": annotator_id, "state": ["open", "submitted"]} | ({} if case_ids is None else {"case_id": case_ids})
    found: dict[str, bool] = {}
    for one in tx.find(Assignment, where=where):
        if one.gold_id is not None:
            found[one.case_id] = found.get(one.case_id, False) or one.state == "open"
    return found


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
    own = own_annotation(tx, case_id, annotator_id) if settings.blind or readings_due(tx, case_id) > 1 else None
    return own or seen_annotation(tx, case_id, annotator_id)
