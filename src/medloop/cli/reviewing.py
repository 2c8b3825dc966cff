"""Commands of reviewers: the queue, the history of a case and verdicts on it; annotations that are probably wrong."""

from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.annotations import case_named
from medloop.cli.options import AsJson, ProjectFolder, open_project, option
from medloop.cli.printing import print_table, tell
from medloop.core.errors import NotFoundError, SettingError

if TYPE_CHECKING:
    from medloop.core.records import Annotation
    from medloop.loop.annotating.adjudicating import Ruling
    from medloop.loop.annotating.history import HistoryLine
    from medloop.loop.annotating.review_verdicts import Waiting
    from medloop.loop.foundation.workspace import Workspace


def review(
    folder: ProjectFolder,
    case: Annotated[str, typer.Argument(metavar="[CASE]", help="The case's name; without it, the cases that wait are listed.")] = "",
    approve: Annotated[bool, typer.Option("--approve", help="Approve what stands.")] = False,
    return_to: Annotated[str | None, option("--return-to", metavar="NAME", help="Return it to this annotator; needs --comment.")] = None,
    take: Annotated[
        list[str] | None, option("--take", metavar="NAME[:LABEL]", help="This reader's annotation counts, of all labels or one; repeat.")
    ] = None,
    restore: Annotated[str | None, option("--restore", metavar="ANNOTATION", help="Bring an earlier annotation back, by its id.")] = None,
    sign: Annotated[str, option("--sign", metavar="NAME", help="Sign the approval with this printed name.")] = "",
    comment: Annotated[str, option("--comment", help="Why.")] = "",
    reviewer: Annotated[str, typer.Option(help="Who reviews.")] = "local",
    as_json: AsJson = False,
) -> None:
    """List the cases that wait for a reviewer, show the history of one, or decide it.

    Of several readings one stands after a review: what was fused (--approve), what is put together from named readings
    (--take), or what comes once the case is annotated again (--return-to).
    """
    chosen = [name for name, given in _verdicts(approve, return_to, take, restore) if given]
    if len(chosen) > 1 or (chosen and not case):
        raise SettingError(f"One verdict on one case, got {' and '.join(chosen)}{'' if case else ' and no case'}", remedy="name a case")
    if sign and not approve:
        raise SettingError("A signature belongs to an approval, got --sign alone", remedy="add --approve")
    with open_project(folder) as workspace:
        if not case:
            from medloop.loop.annotating.review_verdicts import review_queue

            waiting = review_queue(workspace)
            tell({"waiting": [_waiting(line) for line in waiting]}, lambda: _print_queue(waiting), as_json=as_json)
            return
        found = case_named(workspace, case)
        if chosen:
            _decide(workspace, found.id, chosen[0], reviewer, return_to or "", take or [], restore or "", sign, comment)
        from medloop.loop.annotating.history import case_history

        lines = case_history(workspace, found.id)
    tell({"case": found.name, "history": lines}, lambda: _print_history(lines), as_json=as_json)


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


def _verdicts(*given: object) -> zip:  # type: ignore[type-arg]
    return zip(("--approve", "--return-to", "--take", "--restore"), given, strict=True)


def _decide(
    workspace: "Workspace",
    case_id: str,
    verdict: str,
    reviewer: str,
    return_to: str,
    take: list[str],
    restored: str,
    sign: str,
    comment: str,
) -> None:
    from medloop.loop.annotating.adjudicating import adjudicate, restore
    from medloop.loop.annotating.review_verdicts import approve, return_case
    from medloop.loop.foundation.annotators import annotator_named

    who = annotator_named(workspace, reviewer).id
    if verdict == "--approve":
        approve(workspace, case_id, who, comment=comment, signed_as=sign)
    elif verdict == "--return-to":
        reading = _reading_of(workspace, case_id, return_to)
        to = reading.annotator_id if reading else annotator_named(workspace, return_to).id
        return_case(workspace, case_id, who, comment=comment, to=to, annotation_id=reading.id if reading else None)
    elif verdict == "--take":
        adjudicate(workspace, case_id, who, [_ruling(workspace, case_id, text) for text in take], comment=comment)
    else:
        restore(workspace, restored, who, comment=comment)


def _reading_of(workspace: "Workspace", case_id: str, name: str) -> "Annotation | None":
    from medloop.loop.foundation.annotators import known_annotator

    with workspace.store.read() as tx:
        who = known_annotator(tx, name)
        return next((a for a in tx.current_annotations(case_ids=[case_id]) if who is not None and a.annotator_id == who.id), None)


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
        return "; ".join(f"{c.label} +{c.added} -{c.removed} voxels ({c.ml:+.3g} ml)" for c in line.changes) or line.comment or "-"

    rows = [(line.at[:19], line.who, line.what, line.annotation_id, "yes" if line.in_force else "", changes(line)) for line in lines]
    print_table(("when", "who", "what", "annotation", "counts", "changes"), rows)
