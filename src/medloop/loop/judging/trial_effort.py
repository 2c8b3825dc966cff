"""What a trial has shown so far: how much work people had with the candidate's proposals, and with those of the model in use.

Counted are training cases that were opened with a proposal of either model during the trial and annotated: of each the first reading.
Cases of the candidate's share that opened with the other model's proposal, as the candidate had not seen them yet, are left out: they
would be no chance selection. So are cases that were opened while the trial rested: then all open with the model in use.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from medloop.core.names import counted
from medloop.core.records import Annotation, Model, Provenance, Task, Withdrawal
from medloop.core.seeds import generator
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.trials import TRIED_SPLIT, Trial, rests, trials
from medloop.loop.foundation.workspace import Workspace
from medloop.metrics.arms import ArmsRatio, compare_arms
from medloop.store.pool_rows import ShownRow
from medloop.store.reader import Reader

COUNTED = ("mask", "partial", "tag")
AT_ONCE = 5000


@dataclass(frozen=True)
class TrialEffort:
    """A trial and the work in its two arms; pairs are of the candidate and of the model in use.

    Attributes:
        model, against: Indices of the candidate and of the model in use.
        share: Of the training cases, in which the candidate proposes first.
        began_at, ended_at: When; None while it goes on.
        ending: The decision that ended it.
        cases: Cases that count, of each arm.
        seconds: Active seconds of a case.
        voxels: Voxels changed by hand; None of a classification.
        changed: Of a classification in how many cases the class was changed, of each arm; None of masks.
        rejected: Proposals that were rejected outright, of each arm.
        unseen: Cases left out because the candidate had not seen them yet.
        rested: Cases left out because they were opened while the trial rested.
    """

    model: int
    against: int
    share: float
    began_at: str
    ended_at: str | None
    ending: str
    cases: tuple[int, int]
    seconds: ArmsRatio
    voxels: ArmsRatio | None
    changed: tuple[int, int] | None
    rejected: tuple[int, int]
    unseen: int
    rested: int = 0

    @property
    def lines(self) -> tuple[str, ...]:
        """For people, one line each."""
        until = f" until {self.ended_at[:16]}Z" if self.ended_at else ""
        span = f"model {self.model} on trial against model {self.against} in {self.share:.0%} of the training cases"
        found = [f"{span}, since {self.began_at[:16]}Z{until}: {self.cases[0]} and {counted(self.cases[1], 'case')} annotated"]
        found.append(f"seconds per case{_medians(self.seconds)}: {self.seconds.text}")
        if self.voxels is not None:
            found.append(f"voxels changed by hand per case{_medians(self.voxels)}: {self.voxels.text}")
        if self.changed is not None:
            found.append(f"class changed in {self.changed[0]} of {self.cases[0]}, and in {self.changed[1]} of {self.cases[1]}")
        if any(self.rejected):
            found.append(f"proposals rejected: {self.rejected[0]}, and {self.rejected[1]}")
        if self.unseen:
            found.append(f"left out: {counted(self.unseen, 'case')} that the candidate had not seen when it was opened")
        if self.rested:
            found.append(f"left out: {counted(self.rested, 'case')} opened while the trial rested")
        if self.ended_at:
            found.append(f"ended: {self.ending}")
        return tuple(found)


def _medians(found: ArmsRatio) -> str:
    return "" if found.newer is None or found.older is None else f", median {found.newer:.0f} and {found.older:.0f}"


def trial_efforts(workspace: Workspace) -> tuple[TrialEffort, ...]:
    """Every trial with its work, the last one last."""
    with workspace.store.read() as tx:
        return tuple(trial_effort(tx, trial) for trial in trials(tx))


def trial_effort(tx: Reader, trial: Trial) -> TrialEffort:
    """The work of one trial."""
    newer, older = tx.get(Model, trial.model_id), tx.get(Model, trial.against_id)
    rows = tx.shown_proposals([newer.id, older.id], TRIED_SPLIT, trial.began_at, trial.ended_at)
    resting = rests(tx, trial)
    tried = [row for row in rows if not any(start <= row.opened_at and (end is None or row.opened_at < end) for start, end in resting)]
    fair = [row for row in tried if row.model_id == newer.id or not trial.takes(row.case_id)]
    work = _worked(tx, fair, newer.id)
    done = [one for one in work if one.kind in COUNTED]
    segments = tx.find(Task, limit=1)[0].kind == "segmentation"
    seed = project_settings(tx).seed

    def ratio(name: str, value: Callable[["_Work"], float | None]) -> ArmsRatio:
        known = [(number, one) for one in done if (number := value(one)) is not None]
        values, sides, people = [v for v, _ in known], [one.newer for _, one in known], [one.annotator_id for _, one in known]
        return compare_arms(values, sides, people, generator(seed, "trial", name, newer.index, older.index))

    return TrialEffort(
        model=newer.index,
        against=older.index,
        share=trial.share,
        began_at=trial.began_at,
        ended_at=trial.ended_at,
        ending=trial.ending,
        cases=_pair([one.newer for one in done]),
        seconds=ratio("seconds", lambda one: one.seconds or None),
        voxels=ratio("voxels", lambda one: one.voxels) if segments else None,
        changed=None if segments else _pair([one.newer for one in done if one.untouched == 0.0]),
        rejected=_pair([one.newer for one in work if one.kind == "rejected"]),
        unseen=len({row.case_id for row in tried} - {row.case_id for row in fair}),
        rested=len({row.case_id for row in rows} - {row.case_id for row in tried}),
    )


@dataclass(frozen=True)
class _Work:
    """The first annotation of a case in a trial; `voxels` is None where nothing was kept of how it came about."""

    newer: bool
    annotator_id: str
    kind: str
    seconds: float
    voxels: float | None
    untouched: float | None


def _worked(tx: Reader, rows: Sequence[ShownRow], candidate: str) -> list[_Work]:
    """The first annotation of each case."""
    shown, ids = {row.assignment_id: row for row in rows}, [row.assignment_id for row in rows if row.state == "submitted"]
    made: list[Annotation] = []
    changed: dict[str, float] = {}
    for part in (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)):
        made += tx.find(Annotation, where={"assignment_id": part})
        changed |= {one.annotation_id: _by_hand(one) for one in tx.find(Provenance, where={"assignment_id": part})}
    undone = {one.annotation_id for one in tx.find(Withdrawal, where={"verb": "undone"})} if made else set()
    first: dict[str, Annotation] = {}
    for one in sorted(made, key=lambda annotation: annotation.created_at):
        if one.id not in undone:
            first.setdefault(one.case_id, one)
    return [
        _Work(
            newer=shown[one.assignment_id or ""].model_id == candidate,
            annotator_id=one.annotator_id,
            kind=one.kind,
            seconds=one.effort_seconds,
            voxels=changed.get(one.id),
            untouched=one.untouched,
        )
        for one in first.values()
    ]


def _by_hand(made: Provenance) -> float:
    """Voxels of a mask that differ from what it began with."""
    return float(sum(part["voxels"] for part in made.parts.values()))


def _pair(newer: Sequence[bool]) -> tuple[int, int]:
    """How many there are of the candidate, and of the model in use."""
    return sum(newer), len(newer) - sum(newer)
