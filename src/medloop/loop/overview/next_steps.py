"""What to do next, most urgent first, each with its reason: what stands at the top of a report."""

from collections.abc import Iterator
from typing import TypeAlias

from medloop.core.names import counted, first_named
from medloop.core.records import EVALUATION_SPLITS, Case
from medloop.loop.foundation.consensus import by_case
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.judged import Judged, JudgedCase
from medloop.loop.overview.progress import GOOD_QUALITY, Progress
from medloop.metrics.intervals import MIN_PATIENTS
from medloop.query.stopping import Advice

Step: TypeAlias = tuple[str, str]
"""What to do, and why."""

SURE = 0.9
"""A wrong class with at least this probability is a confident error."""


def verdict(advice: Advice) -> str:
    """Whether to go on, and with how much."""
    if advice.stop:
        return "Stopping is advised." if advice.batch else "No case is left to annotate: stopping is advised."
    minutes = f", about {advice.minutes:.0f} minutes" if advice.minutes is not None and advice.minutes >= 1 else ""
    return f"Going on is advised. Annotate {counted(advice.batch, 'more case')}{minutes}." if advice.batch else "Going on is advised."


def next_steps(workspace: Workspace, made: Progress, judged: Judged | None) -> tuple[Step, ...]:
    """Everything besides going on or stopping that somebody should do."""
    return (*_repairs(workspace, made), *_conflicts(workspace), *_evaluation(made, judged), *_looks(workspace, judged))


def _repairs(workspace: Workspace, made: Progress) -> Iterator[Step]:
    if damaged := damaged_cases(workspace):
        yield f"Restore or flag {counted(len(damaged), 'damaged case')}:", first_named([case.name for case in damaged])
    if made.rounds and made.rounds[-1].state == "failed":
        yield f"See why round {made.rounds[-1].index} failed:", made.rounds[-1].message


def _conflicts(workspace: Workspace) -> Iterator[Step]:
    """Cases whose annotations in force, by several people, are not the same."""
    with workspace.store.read() as tx:
        several = by_case(tx.current_annotations(case_ids=tx.contested_cases(["train", *EVALUATION_SPLITS])))
        names = sorted(tx.get(Case, i).name for i, found in several.items() if len({(a.blob, a.tag) for a in found}) > 1)
    if names:
        yield f"Settle {counted(len(names), 'case')} that people annotated differently:", first_named(names)


def _evaluation(made: Progress, judged: Judged | None) -> Iterator[Step]:
    """What the score rests on."""
    if judged is None:
        if made.models:
            yield "Annotate evaluation cases:", "without test or audit patients nobody knows how good the model is."
        return
    if judged.patients < MIN_PATIENTS:
        missing = counted(MIN_PATIENTS - judged.patients, "more evaluation patient")
        yield f"Annotate {missing}:", f"the score rests on {counted(judged.patients, 'patient')}, too few for an interval."
    if leaning := [one.case.name for one in judged.cases if one.leans]:
        yield "Annotate again without a proposal:", f"{first_named(leaning)}; these annotations flatter the model."


def _looks(workspace: Workspace, judged: Judged | None) -> Iterator[Step]:
    """Cases worth a look: poor masks, wrong classes that the model is sure of."""
    if judged is None:
        return
    if workspace.task.kind == "segmentation":
        poor = [f"{one.case.name} ({one.score:.2f})" for one in judged.cases if one.score < GOOD_QUALITY]
        if poor:
            yield f"Look at the worst cases, {len(poor)} of {len(judged.cases)} below {GOOD_QUALITY:g}:", first_named(poor, most=3)
        return
    wrong = [f"{one.case.name} ({max(one.prediction.probabilities):.2f})" for one in confident_errors(judged)]
    if wrong:
        yield f"Look at {counted(len(wrong), 'confident error')}:", f"{first_named(wrong, most=3)}: a wrong model, or a wrong tag."


def confident_errors(judged: Judged, *, least: float = SURE) -> list[JudgedCase]:
    """Wrongly classified cases, the surest first."""
    wrong = [one for one in judged.cases if not one.score and max(one.prediction.probabilities) >= least]
    return sorted(wrong, key=lambda one: -max(one.prediction.probabilities))
