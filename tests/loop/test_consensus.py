from medloop.core.records import Annotation, AnnotationOrigin
from medloop.loop.foundation.consensus import deciding


def tag(value: int, second: int) -> Annotation:
    return Annotation(
        id=f"annotation-{second}", case_id="c", task_id="t", annotator_id=f"a{second}", kind="tag", tag=value, created_at=f"{second:02d}"
    )


def mask(second: int, origin: AnnotationOrigin) -> Annotation:
    name, at = f"annotation-{second}", f"{second:02d}"
    return Annotation(id=name, case_id="c", task_id="t", annotator_id="a", kind="mask", blob="x", origin=origin, created_at=at)


def test_a_majority_decides_a_tag() -> None:
    assert deciding([tag(1, 1), tag(1, 2), tag(0, 3)]).tag == 1


def test_the_newest_of_the_tied_tags_decides() -> None:
    assert deciding([tag(1, 1), tag(0, 2)]).id == "annotation-2"


def test_a_human_mask_stands_before_a_newer_imported_one() -> None:
    assert deciding([mask(1, "human"), mask(2, "imported")]).origin == "human"


def test_the_newest_human_mask_stands() -> None:
    assert deciding([mask(1, "human"), mask(2, "human")]).id == "annotation-2"
