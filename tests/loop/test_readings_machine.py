"""Several people on one project, in any order: nobody reads a case twice unasked, nothing drawn is lost, rounds end."""

import dataclasses
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from medloop.core.errors import ConflictError, StateError
from medloop.core.records import Assignment, Case, Review, Round, Source
from medloop.core.states import RoundState
from medloop.images.phantoms import phantom_3d
from medloop.loop.annotating.adjudicating import Ruling, adjudicate
from medloop.loop.annotating.annotations import Opened, next_assignment, submit
from medloop.loop.annotating.drafts import Edit, read_draft, save_patch
from medloop.loop.annotating.review_verdicts import approve, return_case, review_queue
from medloop.loop.annotating.submission import Submitted
from medloop.loop.annotating.withdrawing import undo_submit
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.job_kinds import kind_named
from medloop.loop.foundation.leases import release_stale
from medloop.loop.foundation.readings import DERIVED, begun_readings, case_readings, due_for_consensus
from medloop.loop.foundation.round_moves import advance
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.fusing import reconcile_case

from .conftest import FAST

NAMES = ("Ann", "Bob", "Eva")
SHAPE = (6, 6, 4)
person = st.sampled_from(NAMES)


class Team(RuleBasedStateMachine):
    """Three people, three cases, two readings each, review where they disagree."""

    @initialize(several=st.integers(1, 3), blind=st.booleans(), review=st.sampled_from(["none", "disagreement", "all"]))
    def begin(self, several: int, blind: bool, review: str) -> None:
        self.folder = Path(tempfile.mkdtemp())
        rules = dataclasses.replace(FAST, readings=several, blind=blind, review=review, consensus="majority", batch_size=3)  # type: ignore[arg-type]
        self.workspace = Workspace.create(self.folder / "p", name="p", kind="segmentation", labels=["a"], settings=rules)
        self.several = several
        for n in range(3):
            image = phantom_3d(n, 1, SHAPE).image
            add_case(
                self.workspace,
                image,
                NewCase(name=f"case{n}", patient=f"p{n}", split="train", source=Source(format="x", names=(f"{n}",), sha256=f"{n}")),
                None,
            )
        self.ids = {name: annotator_named(self.workspace, name).id for name in NAMES}
        self.open: dict[str, Opened] = {}
        self.drawn: dict[str, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "workspace"):
            self._finish()
            self.workspace.close()
            shutil.rmtree(self.folder)

    @rule(who=person)
    def ask(self, who: str) -> None:
        opened = next_assignment(self.workspace, self.ids[who])
        if opened is None:
            return
        reading = self._readings()[opened.case.id]
        if reading.returned is None and who not in self.open:
            assert self.ids[who] not in reading.readers, "nobody gets a case twice unasked"
        self.open[who] = opened

    @precondition(lambda self: bool(self.open))
    @rule(data=st.data(), start=st.integers(0, 100), value=st.integers(0, 1))
    def draw(self, data: st.DataObject, start: int, value: int) -> None:
        who = data.draw(st.sampled_from(sorted(self.open)))
        assignment = self._now(who)
        if assignment.state == "open":
            save_patch(self.workspace, assignment.id, Edit(assignment.revision, [(start, 20, value)]))
            self.drawn[assignment.id] = assignment.revision + 1

    @precondition(lambda self: bool(self.open))
    @rule(data=st.data())
    def hand_in(self, data: st.DataObject) -> None:
        who = data.draw(st.sampled_from(sorted(self.open)))
        if self._now(who).state == "open":
            submit(self.workspace, self._now(who).id, Submitted())
        del self.open[who]

    @rule()
    def let_leases_end(self) -> None:
        release_stale(self.workspace, hours=0)

    @rule()
    def work(self) -> None:
        self._reconcile()

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        with self.workspace.store.read() as tx:
            mine = [a for a in tx.current_annotations() if a.assignment_id and a.origin not in DERIVED]
        if mine:
            chosen = data.draw(st.sampled_from(mine))
            with suppress(ConflictError, StateError):  # annotated or edited again since
                undo_submit(self.workspace, str(chosen.assignment_id))

    @rule(verdict=st.sampled_from(["approve", "return", "adjudicate"]), to=person)
    def review(self, verdict: str, to: str) -> None:
        rita = annotator_named(self.workspace, "Rita").id
        for waiting in review_queue(self.workspace)[:1]:
            standing = str(waiting.reading.annotation_id)
            if verdict == "return":
                return_case(self.workspace, waiting.case_id, rita, comment="again", to=self.ids[to])
            elif verdict == "adjudicate":
                adjudicate(self.workspace, waiting.case_id, rita, [Ruling(standing)])
            elif waiting.reading.state == "in review":
                approve(self.workspace, waiting.case_id, rita)

    @invariant()
    def readings_are_of_different_people_and_never_too_many_unasked(self) -> None:
        if hasattr(self, "workspace"):
            with self.workspace.store.read() as tx:
                returned = {r.case_id for r in tx.find(Review, where={"verdict": "return"})}
            for case_id, reading in self._readings().items():
                assert len(set(reading.readers)) == len(reading.readers)
                assert case_id in returned or len({*reading.readers, *reading.open}) <= reading.needed

    @invariant()
    def the_short_way_to_what_waits_finds_the_same(self) -> None:
        if hasattr(self, "workspace"):
            with self.workspace.store.read() as tx:
                begun, unsettled = begun_readings(tx)
                due = due_for_consensus(tx)
                each = [i for case in tx.find(Case) for i in due_for_consensus(tx, case.id)]
                made = {case_id: annotation_id for case_id, annotation_id, _, _ in tx.decided_annotations(["train"])}
            found = self._readings()
            assert sorted(each) == sorted(due)
            assert made == {i: r.annotation_id for i, r in found.items() if r.decided}
            assert {i for i in begun if found[i].state != "accepted"} == {i for i, r in unsettled.items() if r.state != "accepted"}
            assert {i: found[i] for i in unsettled} == unsettled
            assert set(due) == {i for i, r in found.items() if r.consensus_due}

    @invariant()
    def nothing_drawn_is_lost(self) -> None:
        for assignment_id, revision in getattr(self, "drawn", {}).items():
            assert read_draft(self.workspace, assignment_id).revision >= revision

    def _finish(self) -> None:
        """Everybody works until nobody gets a case; then every round has ended."""
        release_stale(self.workspace, hours=0)
        for _ in range(60):
            busy = False
            for who in NAMES:
                opened = next_assignment(self.workspace, self.ids[who])
                if opened is not None:
                    submit(self.workspace, opened.assignment.id, Submitted(mask=np.zeros(SHAPE, dtype=np.uint8)))
                    busy = True
            self._reconcile()
            for waiting in review_queue(self.workspace):
                if waiting.reading.state == "in review":
                    approve(self.workspace, waiting.case_id, annotator_named(self.workspace, "Rita").id)
                    busy = True
            if not busy:
                break
        advance(self.workspace)
        with self.workspace.store.read() as tx:
            assert {r.state for r in tx.find(Round)} <= {RoundState.TRAINING, RoundState.CLOSED}
        assert {r.state for r in self._readings().values()} == {"accepted"}

    def _reconcile(self) -> None:
        assert kind_named("reconcile").run.endswith("run_reconciling")
        with self.workspace.store.read() as tx:
            cases = tx.find(Case)
        for case in cases:
            if self._readings()[case.id].consensus_due:
                reconcile_case(self.workspace, case)

    def _readings(self):
        with self.workspace.store.read() as tx:
            return case_readings(tx, [c.id for c in tx.find(Case)])

    def _now(self, who: str) -> Assignment:
        return self.workspace.store.get(Assignment, self.open[who].assignment.id)


TestTeam = Team.TestCase
TestTeam.settings = settings(max_examples=8, stateful_step_count=18, deadline=None, suppress_health_check=list(HealthCheck))
