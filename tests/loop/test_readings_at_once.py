"""Several people and workers at once, each with a connection of their own: one reading per person, one consensus per case."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

from medloop.core.records import Consensus
from medloop.loop.annotating.annotations import next_assignment
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.readings import begun_readings, due_for_consensus
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.fusing import reconcile_case
from medloop.loop.worker import drain
from medloop.store import audit

from ..postgres import empty_database
from .conftest import MakeWorkspace
from .test_readings import cube, first_case, give, people, reading, standing, with_readings

T = TypeVar("T")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def several(request: pytest.FixtureRequest, make_workspace: MakeWorkspace) -> Workspace:
    """A project of one case that two people read, in either database."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    if url is not None:
        empty_database(url)
    rules = with_readings(readings=2, consensus="majority", review="disagreement", read_twice=0.0)
    return make_workspace(["train"], settings=rules, url=url)


def at_once(workspace: Workspace, tasks: Sequence[Callable[[Workspace], T]]) -> list[T]:
    """Results of tasks that begin together, each on the project as another process would open it."""
    barrier = Barrier(len(tasks))

    def run(task: Callable[[Workspace], T]) -> T:
        own = Workspace.open(workspace.folder)
        try:
            barrier.wait()
            return task(own)
        finally:
            own.close()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def test_a_last_reading_goes_to_one_of_several_people_who_want_it_at_once(several: Workspace) -> None:
    ann, *others = people(several, "Ann", "Bob", "Eva", "Dan")
    give(several, ann, cube())
    given = at_once(several, [lambda own, who=one.id: next_assignment(own, who) for one in others])  # type: ignore[misc]
    assert len([opened for opened in given if opened is not None]) == 1
    assert audit.verify(several.store).ok


def test_two_workers_make_one_consensus_and_the_same_methods_and_reviews_follow(several: Workspace) -> None:
    for person, start in zip(people(several, "Ann", "Bob"), (4, 10), strict=True):
        give(several, person, cube(start))
    case = first_case(several)
    made = at_once(several, [lambda own: reconcile_case(own, case)] * 2)
    assert len([one for one in made if one is not None]) == 1
    with several.store.read() as tx:
        assert tx.count(Consensus) == 1
        assert due_for_consensus(tx) == []
        begun, unsettled = begun_readings(tx)
    assert (begun, [r.state for r in unsettled.values()]) == ([case.id], ["in review"])
    assert standing(several, case.id).origin == "consensus"
    configure(several, settings={"consensus": "latest"})
    drain(several.reload())
    assert standing(several, case.id).annotator_id == reading(several, case.id).readers[-1]
    assert audit.verify(several.store).ok
