"""Every image with its labels, as one list: read in a few queries, and blind where the project is."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from medloop.core.labels import shared_names
from medloop.core.records import Annotation, Case, Label, Task
from medloop.loop.annotating.client_notes import FINAL, ORIGINAL, TaggedLabel, notes, tagged_labels
from medloop.loop.foundation.annotators import annotator_names
from medloop.loop.foundation.consensus import deciding
from medloop.server.monailabel.scene import Scene
from medloop.server.web.site import Viewer
from medloop.store.reader import Reader

LABEL_ENDING = ".nii.gz"


@dataclass(frozen=True)
class Listed:
    """One image: what clients noted of it, its annotation in force as far as the caller may see it, and labels under other tags."""

    case: Case
    noted: dict[str, Any]
    standing: Annotation | None = None
    by: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    tagged: dict[str, TaggedLabel] = field(default_factory=dict)


def listed(scene: Scene, tx: Reader) -> list[Listed]:
    """Every image that was neither skipped nor flagged, by name."""
    cases = tx.find(Case, order=("name",))
    viewer, refused = scene.viewer(tx), tx.refused_among([case.id for case in cases])
    hidden = viewer.hidden(tx)
    standing: dict[str, list[Annotation]] = {}
    for annotation in tx.current_annotations():
        if annotation.case_id not in hidden:
            standing.setdefault(annotation.case_id, []).append(annotation)
    said, names = notes(tx), annotator_names(tx)
    tagged = {case_id: _seen(tx, viewer, case_id, kept) for case_id, kept in tagged_labels(tx).items()}
    found = []
    for case in cases:
        if case.id in refused:
            continue
        one = deciding(standing[case.id]) if case.id in standing else None
        kept = tagged.get(case.id, {})
        tags = {tag: replace(label, info={**label.info, **said.get((case.id, label.note_key), {})}) for tag, label in kept.items()}
        about = said.get((one.id, FINAL), {}) if one else {}
        found.append(Listed(case, said.get((case.id, ""), {}), one, names.get(one.annotator_id, "") if one else "", about, tags))
    return found


def _seen(tx: Reader, viewer: Viewer, case_id: str, kept: dict[str, TaggedLabel]) -> dict[str, TaggedLabel]:
    """The label maps under tags of a case that somebody may see: their own always, those of others where they may see annotations."""
    if not kept or viewer.sees(tx, case_id):
        return kept
    return {tag: one for tag, one in kept.items() if one.actor == viewer.annotator_id}


def labels_of(task: Task, one: Listed) -> dict[str, Any]:
    """The labels of an image by tag: the annotation in force as `final`, also as `original` where it came with the images."""
    found = {tag: {"ext": LABEL_ENDING, "info": tagged_info(task, kept)} for tag, kept in one.tagged.items()}
    if one.standing is None or one.standing.kind != "mask":
        return found
    final = {"ext": LABEL_ENDING, "info": final_info(task, one.standing, one.by, one.about)}
    return found | {FINAL: final} | ({ORIGINAL: final} if one.standing.origin == "imported" else {})


def final_info(task: Task, standing: Annotation, by: str, noted: dict[str, Any]) -> dict[str, Any]:
    """What is known of the annotation in force, under what clients have said of it."""
    facts = {"ts": int(datetime.fromisoformat(standing.created_at).timestamp()), "name": f"{standing.id}{LABEL_ENDING}"}
    facts |= {"annotator": by, "label_info": label_info(task, standing.annotated), "annotation": standing.id}
    return {**noted, **facts, "params": {"label_names": label_names(task)}}


def tagged_info(task: Task, kept: TaggedLabel) -> dict[str, Any]:
    """What is known of a label under another tag."""
    facts = {"ts": int(datetime.fromisoformat(kept.at).timestamp()), "name": f"{kept.tag}{LABEL_ENDING}"}
    return {**kept.info, **facts, "label_info": label_info(task, kept.annotated)}


def label_info(task: Task, annotated: tuple[int, ...]) -> list[dict[str, Any]]:
    """Names and values of the labels that a mask annotates."""
    return [{"name": label.name, "idx": label.value} for label in task.labels if not annotated or label.value in annotated]


def label_names(task: Task, present: frozenset[int] | None = None) -> dict[str, int]:
    """Name of what a mask may hold, or holds, → its value, ascending: 3D Slicer takes segments in this order."""
    own: tuple[Label, ...] = task.labels
    named = {label.value: label.name for label in own} | shared_names(own)
    return {named[value]: value for value in sorted(named) if present is None or value in present}
