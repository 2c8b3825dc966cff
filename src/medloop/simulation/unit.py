"""One round of one run: predict if the strategy needs it, ask, answer, train, measure.

Everything goes through the loop's own verbs on the run's own workspace, and every step looks first what is
done already; so a unit that was killed anywhere goes on where it was and ends with the same numbers.
"""

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from medloop.core.errors import MedloopError
from medloop.core.records import Annotation, Case, Evaluation, Json, Model, Query, Round, Split
from medloop.core.seeds import derive_seed
from medloop.core.states import JobState, RoundState
from medloop.loop.foundation.round_moves import advance, start_training
from medloop.loop.foundation.starts import pretrain_before_annotations
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.rounds import open_round
from medloop.loop.worker import run_job
from medloop.query.bandit import arms
from medloop.query.strategies import strategy
from medloop.simulation.design import FULL, SHARED, StudyDesign, Unit
from medloop.simulation.files import copy_workspace, only_one, write_json
from medloop.simulation.noise import Noise
from medloop.simulation.oracle import Errors, Oracle, annotate_round
from medloop.simulation.prepare import PROJECT, TRUTH, Setup, settle
from medloop.simulation.working import Manner
from medloop.store.reader import Reader

OF_A_RUN = ("seed", "threads", "steps", "minutes")
"""Fields of a recipe that differ between runs by design; the report says where others differ too."""


@dataclass(frozen=True)
class Finished:
    """A round that has been trained and measured."""

    round: Round
    model: Model
    evaluation: Evaluation


def run_unit(design: StudyDesign, setup: Setup, unit: Unit, out: Path) -> Unit:
    """Do one unit, if its result is not there yet.

    Args:
        design: The study.
        setup: What its data set holds.
        unit: Which unit; the one it needs must be done.
        out: The study's folder.

    Raises:
        MedloopError: A job failed; the message names the unit.
    """
    folder = unit.run_folder(out)
    with only_one(folder.with_name(f"{folder.name}.lock"), str(unit), wait=True):
        if unit.result_file(out).exists():
            return unit
        started = time.perf_counter()
        before = unit.needs()
        copy_workspace(before.run_folder(out) if before else out / PROJECT, folder)
        with Workspace.open(folder) as opened:
            workspace = settle(opened, design, unit.seed, unit.strategy, setup.pool)
            finished = _perform(workspace, design, setup, unit, out)
            record = _record(workspace, unit, finished)
        write_json(unit.result_file(out), {**record, **_answered(design, unit), "seconds": round(time.perf_counter() - started, 2)})
    return unit


def _perform(workspace: Workspace, design: StudyDesign, setup: Setup, unit: Unit, out: Path) -> Finished:
    for job in workspace.store.jobs.list(
        state=JobState.RUNNING
    ):  # a killed process left it: this run's lock proves that nobody else has it
        workspace.store.jobs.release(job)
    if pretrain_before_annotations(workspace):
        _run_jobs(workspace, unit, ("pretrain",))
    noise = Noise(design.noise, design.noise_share, design.noise_mm, derive_seed(unit.seed, "annotation noise"))
    errors = Errors(design.outline_error_mm, design.tag_error, derive_seed(unit.seed, "oracle errors"), noise)
    with Oracle(out / TRUTH, errors) as oracle:
        current = _queried(workspace, design, unit, oracle)
        annotate_round(workspace, current.id, oracle, _manner(design, unit))
    advance(workspace)
    _require_training(workspace, unit)
    _run_jobs(workspace, unit, ("train", "evaluate"))
    if unit.strategy == SHARED and (_needs_proposals(design) or any(strategy(name).needs for name in design.strategies)):
        _run_jobs(workspace, unit, ("predict",))
    return _finished(workspace, unit, setup.split)


def _manner(design: StudyDesign, unit: Unit) -> Manner:
    """How annotators work; the upper bound learns from masks of the truth whatever is compared."""
    return Manner(effort=design.effort) if unit.strategy == FULL else Manner(design.given, design.annotators, design.effort)


def _needs_proposals(design: StudyDesign) -> bool:
    """Whether annotators look at proposals, so that each round predicts the pool whatever its strategy."""
    return design.noise == "lazy" or design.query_unit != "case" or Manner(design.given, design.annotators).needs_proposals


def _queried(workspace: Workspace, design: StudyDesign, unit: Unit, oracle: Oracle) -> Round:
    """This unit's round: the one it began before, or a new query of its strategy."""
    with workspace.store.read() as tx:
        begun = [r for r in tx.find(Round, where={"index": unit.round}) if r.state != RoundState.QUERYING]
        pool = [c.name for c in tx.unlabelled_cases(["train"])]
    if begun:
        return begun[0]
    needs = strategy(unit.strategy).needs if unit.strategy not in (SHARED, FULL) else frozenset[str]()
    if needs or _needs_proposals(design):
        _run_jobs(workspace, unit, ("predict",))
    extra = {"oracle_foreground": oracle.foreground_shares(pool)} if "oracle_foreground" in needs else {}
    opened = open_round(workspace, extra_scores=extra, thorough=True)
    if opened is None or opened.index != unit.round:
        raise MedloopError(f"{unit}: expected to open this round, got {opened.index if opened else 'nothing left to query'}")
    _require_strategy(workspace, unit, opened)
    return opened


def _require_strategy(workspace: Workspace, unit: Unit, opened: Round) -> None:
    """A strategy whose numbers do not exist is replaced in a project, so that people can go on; a study must not hide that."""
    with workspace.store.read() as tx:
        chosen = tx.get(Query, opened.query_id).strategy if opened.query_id else ""
    if unit.round > 1 and chosen not in arms(unit.strategy):
        needs = ", ".join(sorted(strategy(unit.strategy).needs))
        why = opened.message or f"{chosen} chose in its place, as predictions do not hold what it needs ({needs})"
        raise MedloopError(f"{unit}: {why}", remedy="leave it out of the study")


def _require_training(workspace: Workspace, unit: Unit) -> None:
    """Make sure a job exists for a round that waits for its training, whatever was interrupted before."""
    with workspace.store.read() as tx:
        state = tx.find(Round, where={"index": unit.round})[0].state
    if state in (RoundState.TRAINING, RoundState.FAILED) and not workspace.store.jobs.active("train"):
        start_training(workspace, actor="simulation")


def _run_jobs(workspace: Workspace, unit: Unit, kinds: Collection[str]) -> None:
    """Run the queued jobs of these kinds here, in order, until none is left."""
    jobs = workspace.store.jobs
    owner = f"simulation-{unit.seed}-{unit.strategy}-{threading.get_native_id()}"
    while (job := jobs.claim(owner, kinds=kinds)) is not None:
        run_job(workspace, job, threads=1)
        ended = jobs.get(job.id)
        if ended.state == JobState.FAILED:
            raise MedloopError(f"{unit}: the job {job.kind} failed: {ended.error}", remedy="repair the cause and run the study again")


def _finished(workspace: Workspace, unit: Unit, split: Split) -> Finished:
    with workspace.store.read() as tx:
        current = tx.find(Round, where={"index": unit.round})[0]
        if current.model_id is None:
            remedy = "let the first round query more cases" if unit.round == 1 else ""
            raise MedloopError(f"{unit}: no model was trained, the round {current.state}: {current.message}", remedy=remedy)
        evaluations = tx.current_evaluations(model_id=current.model_id, split=split)
        if not evaluations:
            raise MedloopError(f"{unit}: its model was not measured on the {split} cases")
        return Finished(current, tx.get(Model, current.model_id), evaluations[0])


def _record(workspace: Workspace, unit: Unit, finished: Finished) -> Json:
    """What is kept of a unit: names instead of ids, so that equal runs give equal records."""
    evaluation = finished.evaluation
    with workspace.store.read() as tx:
        names = {case_id: tx.get(Case, case_id).name for case_id in evaluation.per_case}
        choices = tx.get(Query, finished.round.query_id).choices if finished.round.query_id else ()
        picks = [tx.get(Case, choice.case_id).name for choice in choices]
        weak = [*tx.partial_annotations(splits=["train"]), *tx.marked_annotations(splits=["train"])]
        given = [*tx.current_annotations(splits=["train"]), *weak, *_rejected(tx)]
    # In order of name: sums in the order of random ids would differ in the last bit from run to run.
    scores = {names[case_id]: evaluation.per_case[case_id] for case_id in sorted(names, key=names.__getitem__)}
    labels = sorted({label for by_label in scores.values() for label in by_label})  # a case is scored for what it annotates
    return {
        "seed": unit.seed,
        "strategy": unit.strategy,
        "round": unit.round,
        "labelled": evaluation.labelled_cases,
        "minutes": round(sum(annotation.effort_seconds for annotation in given) / 60, 4),
        "score": evaluation.mean,
        "by_label": {label: _mean([found[label] for found in scores.values() if label in found]) for label in labels},
        "per_case": {name: _mean([found[label] for label in labels if label in found]) for name, found in scores.items()},
        "picks": picks,
        "steps": int(finished.model.metrics.get("steps", 0)),
        "recipe": {name: value for name, value in finished.model.recipe.items() if name not in OF_A_RUN},
    }


def _rejected(tx: Reader) -> list[Annotation]:
    """Every proposal that was rejected: the look took its time, whatever came of the case later."""
    return tx.find(Annotation, where={"kind": "rejected"})


def _answered(design: StudyDesign, unit: Unit) -> Json:
    """Where kinds of annotation are chosen: queries answered so far, the same for all runs, in place of annotations learned from."""
    return {} if design.query_unit == "case" or unit.strategy == FULL else {"labelled": design.labelled[unit.round - 1]}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
