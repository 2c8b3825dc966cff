"""What the newest model with an annotator model learned of each annotator: the diagonal of the confusion, label by label."""

from collections.abc import Sequence
from dataclasses import dataclass

from medloop.core.records import Annotation, Model
from medloop.loop.foundation.crowds import FACTS
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.class_counts import label_values

BACKGROUND = "background"


@dataclass(frozen=True)
class LearnedSkill:
    """One annotator and one label.

    Attributes:
        annotator: By name, as when the model was trained.
        label: A label, or `BACKGROUND` of a segmentation.
        skill: Probability, 0..1, that what is this label is annotated so, as the annotator model learned it.
        annotations: How many annotations of this annotator the model learned from.
        holding: How many whole ones of these hold the label, so that the skill rests on them; all of them for the background.
        model_index: The model that it was learned with.
        method: Its annotator model: crowd-layer, confusion or pixel.
    """

    annotator: str
    label: str
    skill: float
    annotations: int
    holding: int
    model_index: int
    method: str


def learned_skills(workspace: Workspace) -> tuple[LearnedSkill, ...]:
    """One line per annotator and label, by annotator; empty before a training with the setting `annotator_model`."""
    with workspace.store.read() as tx:
        models = tx.find(Model, order=("index",), descending=True)
    model = next((m for m in models if FACTS in m.metrics), None)
    if model is None:
        return ()
    background = ((0, BACKGROUND),) if workspace.task.kind == "segmentation" else ()
    labels = [*background, *((label.value, label.name) for label in workspace.task.labels)]
    facts, confusions = model.metrics[FACTS], model.metrics["confusions"]
    lines = []
    for person, confusion in zip(facts["people"], confusions, strict=True):
        held, count = _values_held(workspace, person["annotations"]), len(person["annotations"])
        for value, name in labels[: len(confusion)]:  # a label that was added later is not in it
            holding = count if (value, name) in background else sum(value in values for values in held)
            lines.append(LearnedSkill(person["name"], name, float(confusion[value][value]), count, holding, model.index, facts["model"]))
    return tuple(lines)


def _values_held(workspace: Workspace, ids: Sequence[str]) -> list[Sequence[int]]:
    with workspace.store.read() as tx:
        annotations = [tx.get(Annotation, i) for i in ids]
    with memo(workspace, "label-values") as known:
        return [label_values(workspace, a.id, a.blob, a.tag, known) for a in annotations if a.is_whole]


def skill_rows(skills: Sequence[LearnedSkill]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of a table: a row per annotator, a column per label."""
    labels = tuple(dict.fromkeys(skill.label for skill in skills))
    cells = {(skill.annotator, skill.label): f"{skill.skill:.3f} of {skill.holding}" for skill in skills}
    counts = {skill.annotator: str(skill.annotations) for skill in skills}
    rows = [(name, count, *(cells[name, label] for label in labels)) for name, count in counts.items()]
    return ("annotator", "annotations", *labels), rows
