"""How much there is to learn since the last training: what starts the next one within a round (`train_after`).

Where an annotation is all that a case needs, each counts. Where cases need several readings, a consensus or a review, half a case is
none: a case counts once, when it is accepted by the rules of the project and what stands for it came after the last training's
snapshot; a case of which only parts are annotated, when as many people as it needs have annotated parts of it since.
"""

from medloop.core.records import ProjectSettings, Snapshot
from medloop.loop.foundation.readings import case_readings, project_settings, reads_several, routes
from medloop.store.reader import Reader


def new_to_learn(tx: Reader) -> int:
    """Annotations, or cases where these need more than one, that became ready to train with after the newest snapshot."""
    newest = tx.find(Snapshot, descending=True, limit=1)
    since = tx.event_numbers(Snapshot, [newest[0].id])[newest[0].id] if newest else -1
    new = tx.annotations_after(since, ["train"])
    if not _needs_more(project_settings(tx)):
        return len(new)
    whole = {row.id for row in new if row.kind != "partial"}
    parts: dict[str, set[str]] = {}
    for row in new:
        if row.kind == "partial":
            parts.setdefault(row.case_id, set()).add(row.annotator_id)
    found = case_readings(tx, {row.case_id for row in new})
    ready = [i for i, one in found.items() if one.state == "accepted" and one.annotation_id in whole]
    in_parts = [i for i, people in parts.items() if found[i].annotation_id is None and len(people) >= found[i].needed]
    return len(ready) + len(in_parts)


def _needs_more(settings: ProjectSettings) -> bool:
    """Whether a case may need more than an annotation before it counts."""
    return reads_several(settings) or routes(settings) or settings.review != "none"
