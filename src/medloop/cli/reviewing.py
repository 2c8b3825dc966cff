"""Commands of reviewers: the queue, the history of a case and verdicts on it; annotations that are probably wrong."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from medloop.cli.annotations import case_named
from medloop.cli.options import AsJson, ProjectFolder, argument, open_project, option
from medloop.cli.printing import print_table, tell
from medloop.core.errors import NotFoundError, SettingError

if TYPE_CHECKING:
    from medloop.core.records import Annotation, Case
    from medloop.loop.annotating.adjudicating import Ruling
    from medloop.loop.annotating.history import HistoryLine
    from medloop.loop.annotating.review_verdicts import Waiting
    from medloop.loop.foundation.workspace import Workspace


CaseName: TypeAlias = Annotated[str, argument(metavar="CASE", help="The case's name.")]
Reviewer: TypeAlias = Annotated[str, typer.Option(help="Who reviews.")]
Comment: TypeAlias = Annotated[str, option("--comment", help="Why.")]


def review(
    folder: ProjectFolder,
    case: Annotated[str, typer.Argument(metavar="[CASE]", help="The case's name; without it, the cases that wait are listed.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the cases that wait for a reviewer, or show the history of one.

    The verdicts are medloop approve, return and adjudicate.
    """
    from medloop.loop.annotating.review_verdicts import review_queue

    with open_project(folder) as workspace:
        if case:
            _tell_history(workspace, case_named(workspace, case), as_json=as_json)
            return
        waiting = review_queue(workspace)
    tell({"waiting": [_waiting(line) for line in waiting]}, lambda: _print_queue(waiting), as_json=as_json)


def approve(
    folder: ProjectFolder,
    case: CaseName,
    sign: Annotated[str, option("--sign", metavar="NAME", help="Sign the approval with this printed name.")] = "",
    comment: Comment = "",
    reviewer: Reviewer = "local",
    as_json: AsJson = False,
) -> None:
    """Approve the annotation, or consensus, that stands for a case."""
    from medloop.loop.annotating import review_verdicts
    from medloop.loop.foundation.annotators import annotator_named

    with open_project(folder) as workspace:
        found, who = case_named(workspace, case), annotator_named(workspace, reviewer)
        review_verdicts.approve(workspace, found.id, who.id, comment=comment, signed=review_verdicts.Signed(sign) if sign else None)
        _tell_history(workspace, found, as_json=as_json)


def return_(
    folder: ProjectFolder,
    case: CaseName,
    to: Annotated[str, option("--to", metavar="NAME", help="Who shall annotate it: their reading is returned, or they read it anew.")],
    comment: Annotated[str, option("--comment", help="What to correct.")],
    reviewer: Reviewer = "local",
    as_json: AsJson = False,
) -> None:
    """Return a case to an annotator with a comment: it comes next to them."""
    from medloop.loop.annotating.review_verdicts import Looked, return_case
    from medloop.loop.foundation.annotators import annotator_known, annotator_named

    with open_project(folder) as workspace:
        found, who = case_named(workspace, case), annotator_named(workspace, reviewer)
        reading = _reading_of(workspace, found.id, to)
        with workspace.store.read() as tx:
            author = annotator_known(tx, to).id
        return_case(workspace, found.id, who.id, comment=comment, to=author, looked=Looked(reading.id if reading else None))
        _tell_history(workspace, found, as_json=as_json)


def adjudicate(
    folder: ProjectFolder,
    case: CaseName,
    take: Annotated[
        list[str] | None, option("--take", metavar="NAME[:LABEL]", help="This reader's annotation counts, of all labels or one; repeat.")
    ] = None,
    restore: Annotated[str, option("--restore", metavar="ANNOTATION", help="Bring an earlier annotation back, by its id.")] = "",
    comment: Comment = "",
    reviewer: Reviewer = "local",
    as_json: AsJson = False,
) -> None:
    """Decide between the readings of a case: a new annotation stands, put together from those named."""
    from medloop.loop.annotating import adjudicating
    from medloop.loop.foundation.annotators import annotator_named

    if bool(take) == bool(restore):
        raise SettingError("An adjudication takes --take or --restore, got both or none", remedy="say which reading counts")
    with open_project(folder) as workspace:
        found, who = case_named(workspace, case), annotator_named(workspace, reviewer)
        if take:
            rulings = [_ruling(workspace, found.id, text) for text in take]
            adjudicating.adjudicate(workspace, found.id, who.id, rulings, comment=comment)
        else:
            with workspace.store.read() as tx:
                earlier = adjudicating.annotation_of(tx, found, restore)
            adjudicating.restore(workspace, earlier.id, who.id, comment=comment)
        _tell_history(workspace, found, as_json=as_json)


def suspects(
    folder: ProjectFolder,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Lines at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List annotations that are probably wrong, most suspicious first.

    Each is held against the other readers of its case, where there are two or more, and against a prediction of a model that
    had not learned from the case.
    """
    from medloop.loop.overview.suspects import suspects as find_suspects

    with open_project(folder) as workspace:
        found = find_suspects(workspace, limit=limit)
    rows = [(line.case, line.annotator, f"{line.score:.2f}", line.against, line.reason) for line in found]
    head = ("case", "annotator", "score", "against", "reason")
    tell({"suspects": found}, lambda: print_table(head, rows) if rows else typer.echo("No annotation is suspect"), as_json=as_json)


def _tell_history(workspace: "Workspace", case: "Case", *, as_json: bool) -> None:
    from medloop.loop.annotating.history import case_history

    lines = case_history(workspace, case.id)
    tell({"case": case.name, "history": lines}, lambda: _print_history(lines), as_json=as_json)


def _reading_of(workspace: "Workspace", case_id: str, name: str) -> "Annotation | None":
    from medloop.loop.foundation.annotators import known_annotator
    from medloop.loop.foundation.blinding import own_annotation

    with workspace.store.read() as tx:
        who = known_annotator(tx, name)
        return own_annotation(tx, case_id, who.id) if who is not None else None


def _ruling(workspace: "Workspace", case_id: str, text: str) -> "Ruling":
    """NAME or NAME:LABEL as a ruling; a name that holds a colon goes first."""
    from medloop.loop.annotating.adjudicating import Ruling

    whole = _reading_of(workspace, case_id, text)
    if whole is not None:
        return Ruling(whole.id)
    name, _, label = text.rpartition(":")
    reading = _reading_of(workspace, case_id, name) if name else None
    values = {one.name: one.value for one in workspace.task.labels}
    if reading is None or label not in values:
        raise NotFoundError(
            f"Nobody called {name or text!r} has read this case, or there is no label {label!r}", remedy="medloop review DIR CASE"
        )
    return Ruling(reading.id, values[label])


def _waiting(line: "Waiting") -> dict[str, object]:
    state, needed, agreement = line.reading.state, line.reading.needed, line.reading.agreement
    return {"case": line.name, "case_id": line.case_id, "state": state, "needed": needed, "agreement": agreement, "readers": line.readers}


def _print_queue(waiting: "tuple[Waiting, ...]") -> None:
    rows = [
        (w.name, w.reading.state, "-" if w.reading.agreement is None else f"{w.reading.agreement:.2f}", ", ".join(w.readers))
        for w in waiting
    ]
    if rows:
        print_table(("case", "state", "agreement", "readers"), rows)
    else:
        typer.echo("No case waits for a review")


def _print_history(lines: "tuple[HistoryLine, ...]") -> None:
    def changes(line: "HistoryLine") -> str:
        shown = [f"{c.label} +{c.added} -{c.removed} voxels ({c.ml:+.3g} ml)" for c in line.changes]
        shown += [f"{', '.join(line.lacking)} not annotated"] if line.lacking else []
        return "; ".join(shown) or line.comment or "-"

    rows = [(line.at[:19], line.who, line.what, line.annotation_id, "yes" if line.in_force else "", changes(line)) for line in lines]
    print_table(("when", "who", "what", "annotation", "counts", "changes"), rows)
