"""Annotated cases that lack a label are queried for it alone: the rest of them stays as it is, whoever draws the missing one."""

import dataclasses

import numpy as np
import pytest

from medloop.core.errors import LabelError, SettingError, StateError
from medloop.core.records import Annotation, Query
from medloop.loop.annotating.annotations import next_assignment, skip_case, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotated_labels import lacking_cases
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.pool_predictions import _pool as predicted_pool
from medloop.loop.learning.case_weights import _draws
from medloop.loop.learning.pseudo_labels import _believable
from medloop.loop.overview.stopping import stopping_evidence
from medloop.loop.project import Project
from medloop.loop.querying.rounds import choosing, prepare_round
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .made_up import add_model, add_prediction, case_named
from .test_annotated_labels import LARGE, SMALL, give, standing, values_in


@pytest.fixture
def partly(make_workspace: MakeWorkspace) -> Workspace:
    """case00 and case01 are annotated for the large label only, case02 for all, case03 not at all; the small label is wanted."""
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(FAST, train_after=0, batch_size=4))
    give(workspace, "case00", "Ann", LARGE, annotated=(LARGE,))
    give(workspace, "case01", "Ann", LARGE, annotated=(LARGE,))
    give(workspace, "case02", "Ann", LARGE, SMALL)
    configure(workspace, settings={"query_label": "Small"}, actor="test")
    return workspace.reload()


def queried(workspace: Workspace) -> Query:
    made = prepare_round(workspace)
    assert made is not None
    assert made.query_id
    return workspace.store.get(Query, made.query_id)


def lacking(workspace: Workspace) -> set[str]:
    with workspace.store.read() as tx:
        return set(lacking_cases(tx, workspace.task))


def test_the_pool_is_the_annotated_cases_that_lack_the_label(partly: Workspace) -> None:
    choices = queried(partly).choices
    assert {one.case_id for one in choices} == {case_named(partly, name).id for name in ("case00", "case01")}
    assert {one.label for one in choices} == {SMALL}
    assert all(one.reason.startswith("lacks small; ") for one in choices)


def test_its_round_ends_when_the_label_is_annotated_everywhere_and_unlabelled_cases_come_next(partly: Workspace) -> None:
    for who in ("Ann", "Bob"):  # who annotated the rest may draw it, too
        opened = next_assignment(partly, annotator_named(partly, who).id)
        assert opened is not None
        assert opened.assignment.annotated == ()  # large, which stands, and small
        save_patch(partly, opened.assignment.id, Edit(0, ((0, 3, SMALL),)))
        made = submit(partly, opened.assignment.id, Submitted())
        assert (made.annotated, values_in(partly, made)) == ((), {0, LARGE, SMALL})
    assert lacking(partly) == set()
    last = next_assignment(partly, annotator_named(partly, "Ann").id)
    assert last is not None
    assert last.case.name == "case03"
    assert verify(partly.store).ok


def test_a_case_is_open_with_one_person_at_a_time(partly: Workspace) -> None:
    opened = [next_assignment(partly, annotator_named(partly, who).id) for who in ("Ann", "Bob", "Cid")]
    assert [one and one.case.name for one in opened[:2]] in (["case00", "case01"], ["case01", "case00"])
    assert opened[2] is None or opened[2].case.name == "case03"


def test_skipping_it_leaves_the_annotation_and_the_label_is_not_queried_there_again(partly: Workspace) -> None:
    opened = next_assignment(partly, annotator_named(partly, "Bob").id)
    assert opened is not None
    before = standing(partly, opened.case.name)
    skip_case(partly, opened.assignment.id, reason="Outside the image")
    assert standing(partly, opened.case.name) == before
    second = next_assignment(partly, annotator_named(partly, "Bob").id)
    assert second is not None
    skip_case(partly, second.assignment.id, reason="Outside the image")
    third = next_assignment(partly, annotator_named(partly, "Ann").id)
    assert third is not None
    assert third.case.name == "case03"


def test_what_somebody_else_annotates_meanwhile_ends_it_as_well(partly: Workspace) -> None:
    made = queried(partly)
    for name in ("case00", "case01"):
        give(partly, name, "Cid", LARGE, SMALL)
    opened = next_assignment(partly, annotator_named(partly, "Bob").id)
    assert opened is not None
    assert opened.case.id not in {one.case_id for one in made.choices}


def test_a_query_for_a_label_once_leaves_the_settings(partly: Workspace) -> None:
    configure(partly, settings={"query_label": ""}, actor="test")
    project = Project(partly.reload())
    made = project.query(lacking="small", count=1)
    assert made is not None
    assert [one.label for one in made.choices] == [SMALL]
    assert project.workspace.settings.query_label == ""
    plain = prepare_round(choosing(project.workspace))
    assert plain is not None
    assert plain.query_id
    assert [one.label for one in partly.store.get(Query, plain.query_id).choices] == [None]


def test_bad_wishes_are_refused_in_one_line(partly: Workspace) -> None:
    with pytest.raises(SettingError, match="query_label names a label of the project, got 'bone'; use one of large, small"):
        configure(partly, settings={"query_label": "bone"}, actor="test")
    with pytest.raises(LabelError, match="Unknown label 'bone'; use some of large, small"):
        choosing(partly, lacking="bone")
    with pytest.raises(StateError, match="No annotated case that could be queried lacks 'large'"):
        choosing(partly, lacking="large")
    with pytest.raises(SettingError, match="template names the slices of a case, query_label queries whole cases"):
        configure(partly, settings={"template": "first"}, actor="test")


def test_a_label_that_is_renamed_is_queried_by_its_new_name(partly: Workspace) -> None:
    configure(partly, task=TaskChange(renamed={"small": "tumour"}), actor="test")
    after = partly.reload()
    assert after.settings.query_label == "tumour"
    assert {one.label for one in queried(after).choices} == {SMALL}


def test_the_model_predicts_what_may_be_queried(partly: Workspace) -> None:
    with partly.store.read() as tx:
        found = {case.name for case in predicted_pool(partly, tx)}
    assert {"case00", "case01", "case03"} <= found


def test_the_draft_begins_with_what_stands(partly: Workspace) -> None:
    opened = next_assignment(partly, annotator_named(partly, "Bob").id)
    assert opened is not None
    assert set(np.unique(read_draft(partly, opened.assignment.id).mask).tolist()) == {0, LARGE}
    with partly.store.read() as tx:
        assert all(isinstance(one, Annotation) for one in tx.current_annotations(case_ids=[opened.case.id]))


def test_there_is_work_left_while_a_case_lacks_the_label(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 2, settings=dataclasses.replace(FAST, train_after=0))
    for name in ("case00", "case01"):
        give(workspace, name, "Ann", LARGE, annotated=(LARGE,))
    assert stopping_evidence(workspace).left == 0
    configure(workspace, settings={"query_label": "small"}, actor="test")
    assert stopping_evidence(workspace.reload()).left == 2


def test_weights_of_queried_cases_count_draws_of_whole_cases_only(partly: Workspace) -> None:
    configure(partly, settings={"query_label": ""}, actor="test")
    first = next_assignment(partly.reload(), annotator_named(partly, "Ann").id)
    assert first is not None
    give(partly, first.case.name, "Ann", LARGE, SMALL)
    with partly.store.read() as tx:
        before = len(_draws(tx)[0])
    configure(partly, settings={"query_label": "small"}, actor="test")
    workspace = partly.reload()
    while (opened := next_assignment(workspace, annotator_named(workspace, "Ann").id)) is not None:
        save_patch(workspace, opened.assignment.id, Edit(0, ((0, 3, SMALL),)))
        submit(workspace, opened.assignment.id, Submitted())
    with partly.store.read() as tx:
        assert len(_draws(tx)[0]) == before == 1


def test_pseudo_labels_and_unlabelled_images_come_from_cases_that_nobody_annotated(partly: Workspace) -> None:
    model = add_model(partly, 1)
    for name in ("case00", "case01", "case02", "case03"):
        add_prediction(partly, model, case_named(partly, name), foreground=1.0)
    configure(partly, settings={"unlabelled": "pseudo-labels"}, actor="test")
    with partly.store.read() as tx:
        assert {one.case_id for one in _believable(tx, partly.task)} == {case_named(partly, "case03").id}


def test_a_project_does_not_begin_with_a_label_that_it_does_not_have(make_workspace: MakeWorkspace) -> None:
    with pytest.raises(SettingError, match="query_label names a label of the project, got 'bone'; use one of large, small"):
        make_workspace(["train"], settings=dataclasses.replace(FAST, query_label="bone"))
