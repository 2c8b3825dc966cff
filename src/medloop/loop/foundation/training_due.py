"""Whether there is enough to learn since the last training for the next one to start within a round (`train_after`).

Where an annotation is all that a case needs, each counts. Where cases need several readings, a consensus or a review, half a case is
none: a case counts once, when it is accepted by the rules of the project and what stands for it came after the last training's
snapshot; a case of which only parts are annotated, or that has only marks, when as many
people as it needs have given some since.
"""

from medloop.core.records import Snapshot
from medloop.loop.foundation.readings import case_readings, project_settings, reads_several, routes
from medloop.store.reader import Reader

AT_ONCE = 200
"""Annotations that are looked at together, the newest first: mostly these say enough."""


def new_to_learn(tx: Reader, most: int) -> int:
    """Annotations, or cases where these need more than one, that became ready to train with after the newest snapshot; `most` at most."""
    newest = tx.find(Snapshot, descending=True, limit=1)
    since = tx.event_numbers(Snapshot, [newest[0].id])[newest[0].id] if newest else -1
    if not _needs_more(tx):
        return len(tx.annotations_after(since, ["train"], limit=most))
    before, ready = None, 0
    people: dict[str, set[str]] = {}
    while ready < most and (new := tx.annotations_after(since, ["train"], before=before, limit=AT_ONCE)):
        whole = {row.id for row in new if row.kind in ("mask", "tag")}
        found = case_readings(tx, {row.case_id for row in new})
        ready += sum(one.state == "accepted" and one.annotation_id in whole for one in found.values())
        for row in new:
            who = people.setdefault(row.case_id, set())
            if row.kind in ("partial", "marks") and found[row.case_id].annotation_id is None and row.annotator_id not in who:
                who.add(row.annotator_id)
                ready += len(who) == found[row.case_id].needed
        before = new[-1].event
    return min(ready, most)


def _needs_more(tx: Reader) -> bool:
    """Whether a case may need more than an annotation before it counts."""
    settings = project_settings(tx)
    return reads_several(tx) or routes(settings) or settings.review != "none"
