"""One answer per case from all its current annotations.

With one annotator it is that answer. An imported one, an expert's, stands before every confirmation of a model's
proposal, until somebody replaces it knowingly: then that annotation names it and it is no longer current. Among the rest a
human one stands before an imported one, a tag is decided by majority and a mask by the most recent answer; ties and mixtures
go to the most recent. Before all of these stands what a reviewer put together from them, then the consensus that was fused
from them (`medloop.loop.judging.fusing`), while it is in force.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from medloop.core.records import Annotation, Consensus, Split
from medloop.store.reader import Reader


def consensus_annotations(tx: Reader, split: Split) -> list[Annotation]:
    """The deciding annotation of every answered case of a split."""
    return [deciding(answers) for answers in by_case(tx.current_annotations(splits=[split])).values()]


def by_case(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """Annotations by the id of their case, in their order."""
    found: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        found[annotation.case_id].append(annotation)
    return dict(found)


def soft_consensuses(tx: Reader, answers: Sequence[Annotation]) -> list[Consensus]:
    """The consensuses that say of these annotations how probable each label is, by the id of the annotation."""
    fused = [a.id for a in answers if a.origin == "consensus"]
    found = tx.find(Consensus, where={"annotation_id": fused}, order=("annotation_id",))
    return [c for c in found if c.probabilities or c.voxel_probabilities is not None]


def deciding(answers: Iterable[Annotation]) -> Annotation:
    """The annotation that stands for a case; answers must not be empty, and be in the order they were given."""
    ordered = list(answers)
    for origin in ("adjudicated", "consensus"):
        if made := [a for a in ordered if a.origin == origin]:
            return made[-1]
    if any(a.origin == "imported" and not may_lean(a) for a in ordered):
        ordered = [a for a in ordered if not may_lean(a)]
    tags = Counter(a.tag for a in ordered if a.kind == "tag")
    if tags:
        most = max(tags.values())
        return next(a for a in reversed(ordered) if a.kind == "tag" and tags[a.tag] == most)
    human = [a for a in ordered if a.origin != "imported"]
    return (human or ordered)[-1]


def may_lean(annotation: Annotation) -> bool:
    """Whether an annotation, by its own record, may owe something to a model's proposal; see `medloop.loop.annotating.independence`."""
    if annotation.untouched is not None:
        return annotation.untouched > 0
    if annotation.origin == "imported":
        return False
    shown = annotation.began_with is None and annotation.origin == "human" and annotation.proposal_id is not None
    return shown or annotation.began_with == "prediction"
