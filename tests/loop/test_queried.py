"""Per-label counts of what was answered and asked."""

from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.class_counts import ClassCount, queried_classes

from .conftest import MakeWorkspace
from .made_up import add_answer, case_named


def test_answers_are_counted_by_label_and_by_who_chose_them(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4 + ["test"])
    ann = annotator_named(workspace, "Ann")
    opened = next_assignment(workspace, ann.id)
    assert opened is not None
    mask = load_image(workspace.store.blobs, opened.case).array[0].astype("uint8") * 0
    mask[0], mask[1] = 1, 2
    submit(workspace, opened.assignment.id, Submitted(mask=mask))
    asked = {opened.case.name, next_assignment(workspace, ann.id).case.name}  # type: ignore[union-attr]
    by_hand = next(name for name in ("case00", "case01", "case02", "case03") if name not in asked)
    add_answer(workspace, ann, case_named(workspace, by_hand), labels=(2,))
    add_answer(workspace, ann, case_named(workspace, "case04"), labels=(1, 2))
    assert queried_classes(workspace) == (ClassCount("large", 1, 1, 2, 2), ClassCount("small", 2, 1, 2, 2))
    assert queried_classes(workspace) == (ClassCount("large", 1, 1, 2, 2), ClassCount("small", 2, 1, 2, 2))


def test_a_new_project_has_asked_nothing(pool: Workspace) -> None:
    assert queried_classes(pool) == (ClassCount("large", 0, 0, 0, 0), ClassCount("small", 0, 0, 0, 0))


def test_a_damaged_memo_is_made_again(pool: Workspace) -> None:
    with memo(pool, "squares") as known:
        assert known.get("3", lambda: 9) == 9
    with memo(pool, "squares") as known:
        assert known.values == {"3": 9}
    (pool.work_folder / "squares.json").write_text("{broken")
    with memo(pool, "squares") as known:
        assert known.get("3", lambda: 10) == 10
