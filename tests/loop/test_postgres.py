import pytest

from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.drafts import Edit, save_patch
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.overview.progress import progress
from medloop.loop.worker import drain
from medloop.store import audit

from ..postgres import empty_database
from .conftest import MakeWorkspace


@pytest.mark.postgres
def test_the_whole_loop_runs_on_postgresql(make_workspace: MakeWorkspace, postgres_url: str) -> None:
    empty_database(postgres_url)
    workspace = make_workspace(["train", "train", "test", "train", "train"], labelled=3, url=postgres_url)
    start_training(workspace)
    drain(workspace)
    ann = annotator_named(workspace, "Ann")
    for _ in range(2):
        opened = next_assignment(workspace, ann.id)
        assert opened is not None
        assert opened.prediction is not None
        save_patch(workspace, opened.assignment.id, Edit(0, [(0, 9, 1)]))
        submit(workspace, opened.assignment.id, Submitted(revision=1, effort_seconds=5.0))
    drain(workspace)
    assert [p.labelled_cases for p in progress(workspace).curve] == [2, 4]
    assert audit.verify(workspace.store).ok
