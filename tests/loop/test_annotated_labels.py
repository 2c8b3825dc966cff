"""An annotation says which labels it annotates, and everything that reads it asks for no others."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import InputError, LabelError, StateError
from medloop.core.records import Annotation, Consensus, Evaluation, Model
from medloop.loop.annotating.adjudicating import Ruling, adjudicate
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.declaring import annotated_cases, declare_annotated
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotated_labels import annotated_labels, label_gaps, lacking_cases
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_mask
from medloop.loop.foundation.consensus import deciding
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.evaluation import score_annotations
from medloop.loop.overview.measurements import measure_case
from medloop.loop.worker import drain
from medloop.store.audit import verify
from tests.loop.conftest import FAST, MakeWorkspace
from tests.loop.made_up import add_model, add_prediction, case_named

LARGE, SMALL = 1, 2


def mask_of(workspace: Workspace, *values: int) -> np.ndarray:
    """A mask with a slab of each value, along the first axis."""
    mask = np.zeros(case_named(workspace, "case00").grid.shape, dtype=np.uint8)
    for value in values:
        mask[4 * value : 4 * value + 3] = value
    return mask


def give(workspace: Workspace, name: str, who: str, *values: int, annotated: tuple[int, ...] | None = None, **more: bool) -> Annotation:
    opened = open_case(workspace, case_named(workspace, name).id, annotator_named(workspace, who).id).assignment
    return submit(workspace, opened.id, Submitted(mask=mask_of(workspace, *values), annotated=annotated, **more))


def standing(workspace: Workspace, name: str) -> Annotation:
    with workspace.store.read() as tx:
        return deciding(tx.current_annotations(case_ids=[case_named(workspace, name).id]))


def names_of(workspace: Workspace, annotation: Annotation) -> list[str]:
    with workspace.store.read() as tx:
        return [label.name for label in annotated_labels(tx, workspace.task).of(annotation)]


def values_in(workspace: Workspace, annotation: Annotation) -> set[int]:
    case = workspace.store.get(type(case_named(workspace, "case00")), annotation.case_id)
    return set(np.unique(load_mask(workspace.store.blobs, annotation, case).array).tolist())


def test_an_annotation_of_some_labels_is_kept_as_such_and_one_of_all_names_none(pool: Workspace) -> None:
    assert give(pool, "case00", "Ann", LARGE, annotated=(LARGE,)).annotated == (LARGE,)
    assert give(pool, "case01", "Ann", LARGE, annotated=(SMALL, LARGE)).annotated == ()
    assert give(pool, "case02", "Ann", LARGE, SMALL).annotated == ()
    with pool.store.read() as tx:
        lacking = lacking_cases(tx, pool.task)
    assert {i: [label.name for label in labels] for i, labels in lacking.items()} == {case_named(pool, "case00").id: ["small"]}
    assert verify(pool.store).ok


@pytest.mark.parametrize(
    ("values", "annotated", "error", "said"),
    [
        (
            (LARGE, SMALL),
            (LARGE,),
            LabelError,
            r"case00 is annotated for large only, and holds small \(\d+ voxels\) too; call these",
        ),
        ((LARGE,), (), InputError, "annotates at least one label, got none"),
        ((LARGE,), (LARGE, 7), LabelError, r"Unknown labels \[7\]; use some of \[1, 2\]"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(pool: Workspace, values, annotated, error, said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        give(pool, "case00", "Ann", *values, annotated=annotated)
    assert "\n" not in str(caught.value)


def test_a_draft_keeps_what_its_annotation_annotates_and_whoever_draws_a_label_annotates_it(pool: Workspace) -> None:
    give(pool, "case00", "Ann", LARGE, annotated=(LARGE,))
    ann, case = annotator_named(pool, "Ann"), case_named(pool, "case00")
    again = open_case(pool, case.id, ann.id).assignment
    assert again.annotated == (LARGE,)
    assert submit(pool, again.id, Submitted()).annotated == (LARGE,)
    drawn = open_case(pool, case.id, ann.id).assignment
    save_patch(pool, drawn.id, Edit(0, ((0, 5, SMALL),)))
    assert submit(pool, drawn.id, Submitted()).annotated == ()
    shrunk = open_case(pool, case.id, ann.id).assignment
    with pytest.raises(LabelError, match=r"The draft of case00 is annotated for small only, and holds large \(\d+ voxels\) too"):
        submit(pool, shrunk.id, Submitted(annotated=(SMALL,)))
    drafted = read_draft(pool, shrunk.id).mask.ravel(order="F")
    save_patch(pool, shrunk.id, Edit(0, tuple((int(at), 1, 0) for at in np.flatnonzero(drafted == LARGE))))
    only = submit(pool, shrunk.id, Submitted(annotated=(SMALL,)))
    assert (only.annotated, values_in(pool, only)) == ((SMALL,), {0, SMALL})


def test_labels_of_a_proposal_that_are_not_annotated_are_shown_again_and_stay_the_models(pool: Workspace) -> None:
    case = case_named(pool, "case00")
    give(pool, "case00", "Ann", LARGE, annotated=(LARGE,))
    add_prediction(pool, add_model(pool, 1), case, label=SMALL, foreground=1.0)
    opened = open_case(pool, case.id, annotator_named(pool, "Ann").id).assignment
    drafted = read_draft(pool, opened.id).mask
    assert set(np.unique(drafted).tolist()) == {LARGE, SMALL}
    made = submit(pool, opened.id, Submitted())
    assert (made.annotated, values_in(pool, made), made.untouched) == ((LARGE,), {0, LARGE}, None)
    taken = open_case(pool, case.id, annotator_named(pool, "Ann").id).assignment
    both = submit(pool, taken.id, Submitted(annotated=(LARGE, SMALL)))
    assert (both.untouched or 0.0) > 0.5  # what nobody touched of it is the model's still


def test_scores_measures_and_gaps_are_of_annotated_labels_only(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["test", "test", "train"])
    give(workspace, "case00", "Ann", LARGE, annotated=(LARGE,))
    give(workspace, "case01", "Ann", LARGE, SMALL)
    cases = {case.id: case for case in (case_named(workspace, "case00"), case_named(workspace, "case01"))}
    model = add_model(workspace, 1)
    for case in cases.values():
        add_prediction(workspace, model, case, label=SMALL, foreground=0.5)
    with workspace.store.read() as tx:
        scores = score_annotations(workspace, model, tx.current_annotations(), cases)
    assert [set(scores[case.id]) for case in cases.values()] == [{"large"}, {"large", "small"}]
    assert {m.label for m in measure_case(workspace, case_named(workspace, "case00").id).measures} == {"large"}
    (gap,) = label_gaps(workspace)
    assert str(gap) == "'small' is annotated in 1 of 2 annotated cases; the background of the others says nothing of it: case00"


def test_readings_of_different_labels_are_put_together_label_by_label_also_without_a_consensus_setting(pool: Workspace) -> None:
    first = give(pool, "case00", "Ann", LARGE, annotated=(LARGE,))
    second = give(pool, "case00", "Ben", SMALL, annotated=(SMALL,))
    drain(pool)
    both = standing(pool, "case00")
    assert (both.origin, both.annotated, values_in(pool, both)) == ("consensus", (), {0, LARGE, SMALL})
    with pool.store.read() as tx:
        (made,) = tx.find(Consensus)
    assert set(made.inputs) == {first.id, second.id}
    assert "large annotated by 1 of 2; small annotated by 1 of 2" in made.note
    give(pool, "case01", "Ann", LARGE)
    give(pool, "case01", "Ben", LARGE)
    drain(pool)
    assert standing(pool, "case01").origin == "human"


@pytest.mark.parametrize("method", ["majority", "staple", "shape_based"])
def test_each_label_is_fused_over_those_who_annotated_it(make_workspace: MakeWorkspace, method: str) -> None:
    workspace = make_workspace(["train"] * 2, settings=dataclasses.replace(FAST, readings=3, consensus=method))
    for who, values, annotated in (("Ann", (LARGE,), (LARGE,)), ("Ben", (LARGE, SMALL), None), ("Cem", (LARGE, SMALL), None)):
        give(workspace, "case00", who, *values, annotated=annotated)
    drain(workspace)
    fused = standing(workspace, "case00")
    assert (fused.origin, fused.annotated, values_in(workspace, fused)) == ("consensus", (), {0, LARGE, SMALL})
    with workspace.store.read() as tx:
        (made,) = tx.find(Consensus)
    assert set(made.agreement_by_label) == {"1", "2"}
    assert made.agreement == 1.0  # Ann's background is no disagreement about the small one
    assert "2" not in made.skills[annotator_named(workspace, "Ann").id]["labels"]


def test_a_label_that_no_case_annotates_is_said_left_out_and_never_proposed(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train", "train", "train", "test"])
    for name in ("case00", "case01", "case03"):
        give(workspace, name, "Ann", LARGE, annotated=(LARGE,))
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        (model,) = tx.find(Model)
        judged = [scores for evaluation in tx.find(Evaluation) for scores in evaluation.per_case.values()]
        predictions = tx.latest_predictions(model.id)
    assert model.metrics["not_learned"] == [SMALL]
    assert [set(scores) for scores in judged] == [{"large"}]
    assert predictions
    for prediction in predictions:
        assert prediction.probabilities is not None
        assert prediction.probabilities[SMALL] == 0, "what nobody taught counts as no uncertainty"
        case = next(c for c in (case_named(workspace, f"case0{n}") for n in range(4)) if c.id == prediction.case_id)
        held = load_mask(workspace.store.blobs, dataclasses.replace(standing(workspace, "case00"), blob=prediction.mask), case)
        assert SMALL not in np.unique(held.array)
    give(workspace, "case00", "Ann", LARGE, SMALL, replace=True)
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        assert "not_learned" not in tx.find(Model)[-1].metrics


def test_rulings_annotate_what_they_are_made_of(pool: Workspace) -> None:
    first = give(pool, "case00", "Ann", LARGE, annotated=(LARGE,))
    second = give(pool, "case00", "Ben", SMALL, annotated=(SMALL,))
    drain(pool)
    case, rita = case_named(pool, "case00"), annotator_named(pool, "Rita")
    with pytest.raises(InputError, match="does not annotate small"):
        adjudicate(pool, case.id, rita.id, [Ruling(first.id), Ruling(first.id, label=SMALL)])
    alone = adjudicate(pool, case.id, rita.id, [Ruling(first.id)])
    assert alone.annotated == (LARGE,)
    both = adjudicate(pool, case.id, rita.id, [Ruling(first.id), Ruling(second.id, label=SMALL)])
    assert (both.annotated, values_in(pool, both)) == ((), {0, LARGE, SMALL})


def test_labels_are_declared_for_many_cases_and_the_history_stays(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, labelled=2)
    cases = [case_named(workspace, name) for name in ("case00", "case01")]
    before = standing(workspace, "case00")
    done = declare_annotated(workspace, [case.id for case in cases], [LARGE], actor="test")
    assert (done.changed, done.unchanged) == (("case00", "case01"), ())
    after = standing(workspace, "case00")
    assert (after.supersedes, after.annotator_id, after.annotated) == (before.id, before.annotator_id, (LARGE,))
    assert SMALL not in values_in(workspace, after)
    found = [(one.label, one.cases, one.lacking) for one in annotated_cases(workspace)]
    assert found == [("large", 2, ()), ("small", 0, ("case00", "case01"))]
    assert declare_annotated(workspace, [cases[0].id], [LARGE], actor="test").changed == ()
    with pytest.raises(InputError, match="case02 has no annotation whose labels could be declared"):
        declare_annotated(workspace, [case_named(workspace, "case02").id], [LARGE], actor="test")
    assert verify(workspace.store).ok


def test_a_class_is_chosen_and_annotates_no_labels(tmp_path) -> None:
    workspace = Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["a", "b"])
    with workspace, pytest.raises(StateError, match="classification"):
        declare_annotated(workspace, [], [0], actor="test")
