"""Commands about trust: how good predictions are, who should look at them, and whether their probabilities come true."""

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from medloop.cli.options import AsJson, ProjectFolder, one_of, open_project
from medloop.cli.printing import print_json, print_table, say, tell
from medloop.core.errors import InputError
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.loop.judging.drift import DriftReport
    from medloop.loop.judging.triage import Triage

OUTSIDE_SHOWN = 20
"""Cases outside of the domain that are listed."""


def triage(
    folder: ProjectFolder,
    risk: Annotated[float, typer.Option(help="Share of all cases that may be accepted wrongly.")] = 0.1,
    good: Annotated[float, typer.Option(help="True score (Dice) that needs no look.")] = 0.7,
    hard: Annotated[float, typer.Option(help="True score below which two people should look.")] = 0.5,
    check: Annotated[str, typer.Option(help="domain refuses cases unlike those the model was judged on; none does not look.")] = "domain",
    as_json: AsJson = False,
) -> None:
    """Say which predictions to accept, to review, or to show to a second expert.

    The thresholds come from evaluated cases and keep the risk in expectation, for cases like these: others are not accepted. Too few
    evaluated cases are refused.
    """
    from medloop.loop.judging.triage import triage_pool
    from medloop.loop.judging.trust import Check

    wanted = one_of("--check", check, get_args(Check))
    with open_project(folder) as workspace:
        found = triage_pool(workspace, risk=risk, good=good, hard=hard, check=wanted)
    tell(found, lambda: _print_triage(found), as_json=as_json)


def drift(
    folder: ProjectFolder,
    by: Annotated[str, typer.Option(help="Column that makes groups, such as scanner or site; all for one group.")] = "",
    since: Annotated[str, typer.Option(help="Only cases added on this day (2026-11-30) or later.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say whether the unlabelled cases are still like those that the model in use was judged on.

    Compared are embeddings, intensities, voxels and, where cases of the group are annotated, expected with observed quality; fewer than
    eight patients get no verdict. Without --by, groups are made by the first of scanner, manufacturer, site, stratum there is.
    """
    from dataclasses import replace

    from medloop.loop.data.model_statistics import imported_drift
    from medloop.loop.judging.drift import drift_report

    with open_project(folder) as workspace:
        imported = tuple(imported_drift(workspace, since=since))
        try:
            found = replace(drift_report(workspace, by=by, since=since), imported=imported)
        except InputError:  # without a model in use there is still what an imported one learned from
            for line in imported:
                say(line)
            raise
    tell(found, lambda: _print_drift(found), as_json=as_json)


def adapt(
    folder: ProjectFolder,
    by: Annotated[str, typer.Option(help="Column that makes groups, such as scanner or site; all for every unlabelled case.")],
    value: Annotated[str, typer.Option(help="Which group, such as B.")] = "",
    way: Annotated[str, typer.Option(help="intensities moves those of the images; entropy changes normalisation layers.")] = "intensities",
    as_json: AsJson = False,
) -> None:
    """Adapt the model in use to a group that drifted; what comes of it is a candidate, not in use.

    Intensities are moved to where those of the training cases lie, or bright and dark change places, whichever brings the group nearest. By
    entropy the model is made surer of the group, which needs three annotated patients of it to judge what came of it.
    """
    from medloop.loop.learning.adapting_job import adapt_in_way

    with open_project(folder) as workspace:
        found = adapt_in_way(workspace, by=by, value=value, way=way, actor="cli")
    tell(found, lambda: typer.echo(found.words), as_json=as_json)


def quality(
    folder: ProjectFolder,
    references: Annotated[int, typer.Option(help="Annotated reference cases, 2 to 10; the newest are taken.")] = 10,
    good: Annotated[float, typer.Option(help="Dice that needs no look.")] = 0.7,
    as_json: AsJson = False,
) -> None:
    """Say how good the predictions of unlabelled cases are, where that is known.

    Judged by signs of quality that rank the evaluated patients, or else by reverse classification: a mask is good when a
    classifier that learned from it alone works on a few annotated cases. Without ten evaluated patients to check either, or where
    neither ranks them, cases are put in order and no Dice is named.
    """
    from medloop.loop.judging.reverse_accuracy import judge_by_references

    with open_project(folder) as workspace:
        found = judge_by_references(workspace, most=references, good=good)
    if as_json:
        print_json(found)
        return
    if found.cases:
        rows = [(c.name, _expected(c.expected), _range(c.low, c.high), _expected(c.accuracy), _look(c.good)) for c in found.cases]
        print_table(("case", "expected Dice", "90 % interval", "accuracy of references", f"at {good:g}"), rows)
    if found.note:
        typer.echo(found.note)
    else:
        count = sum(case.good is True for case in found.cases)
        typer.echo(f"good: {count}; look: {len(found.cases) - count}; judged by {found.judged_by}, model {found.model_index}")
    if found.unpredicted:
        say(f"{counted(found.unpredicted, 'case')} without a prediction of model {found.model_index}; medloop predict makes them")


def calibrate(
    folder: ProjectFolder, method: Annotated[str, typer.Option(help="temperature or isotonic.")] = "temperature", as_json: AsJson = False
) -> None:
    """Measure whether the probabilities of the model in use come true, and fit a calibration.

    Fitted on validation annotations, judged on test and audit annotations; predicts them all.
    """
    from medloop.loop.judging.calibration import Method, calibrate_model

    chosen = one_of("--method", method, get_args(Method))
    with open_project(folder) as workspace:
        found = calibrate_model(workspace, method=chosen)
    if as_json:
        print_json(found)
        return
    typer.echo(f"model {found.model_index}: {chosen} fitted on {counted(found.fitted_on, 'validation case')}")
    if found.before is None or found.after is None:
        say("no test or audit annotations: what it is worth on other cases is not known")
        return
    judged = counted(found.judged_on, "case")
    for name in ("ece", "classwise_ece", "brier", "nll"):
        typer.echo(f"{name:<14} {getattr(found.before, name):.4f} -> {getattr(found.after, name):.4f}  on {judged}")


def _print_drift(found: "DriftReport") -> None:
    from medloop.loop.judging.drift_words import report_lines

    for line in report_lines(found):
        typer.echo(line)
    outside = [case for case in found.cases if case.outside]
    if outside:
        rows = [(case.name, case.group, f"{case.p:.3f}") for case in outside[:OUTSIDE_SHOWN]]
        print_table(("outside of the domain", "group", "p"), rows)
        if len(outside) > OUTSIDE_SHOWN:
            typer.echo(f"{len(outside) - OUTSIDE_SHOWN} more; --json shows every case")
    if found.unpredicted:
        say(f"{counted(found.unpredicted, 'case')} without an embedding by model {found.model_index}; medloop predict makes them")
    if found.unread:
        say(f"{counted(found.unread, 'case')} not compared, as the image cannot be read: see medloop doctor")


def _print_triage(found: "Triage") -> None:
    if found.cases:
        print_table(("case", "decision", "expected", "why"), [(c.name, c.decision, _expected(c.expected), c.reason) for c in found.cases])
    counts = {decision: sum(c.decision == decision for c in found.cases) for decision in ("accept", "review", "second expert")}
    typer.echo("; ".join(f"{decision}: {count}" for decision, count in counts.items()))
    accept = found.accept
    below = f", {accept.accepted_loss:.1%} of these below {found.good:g}" if accept.coverage > 0 else ""
    typer.echo(f"on {counted(accept.patients, 'evaluated patient')} ({_splits(found)}): {accept.coverage:.0%} accepted{below}")
    typer.echo(found.promise)
    for line in found.drifted:
        typer.echo(line)
    if outside := sum(case.outside for case in found.cases):
        typer.echo(f"{counted(outside, 'case')} unlike those that the model was judged on: not accepted; medloop drift says more")
    if found.unpredicted:
        say(f"{counted(found.unpredicted, 'case')} without a prediction of model {found.model_index}; medloop predict makes them")
    if found.in_part:
        say(f"{counted(found.in_part, 'case')} annotated for some labels only: left out, as a score is of a whole case")


def _splits(found: "Triage") -> str:
    """Whose patients were used, and whose were left out."""
    left_out = [f"{count} {split}" for split, count in found.evaluated.items() if split not in found.splits]
    return ", ".join(found.splits) + (f"; {' and '.join(left_out)} left out, they also chose the weights" if left_out else "")


def _range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _look(good: bool | None) -> str:
    return "-" if good is None else "good" if good else "look"


def _expected(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
