"""Where an open case stands, for whoever annotates it: its place in the round, what is left of it, and how good its proposal probably is.

The verdict is the triage's (`medloop.loop.judging.triage`), the interval the one predicted with the proposal; a group that had drifted when
somebody compared last gets none. Where too few patients are
evaluated for a verdict, it is said how many are missing.
"""

from dataclasses import dataclass

from medloop.core.names import counted
from medloop.core.records import Assignment, Case, Model, Prediction, Query, Round
from medloop.loop.foundation.anchoring import hidden_proposal
from medloop.loop.foundation.in_force import began
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.round_moves import choices_left
from medloop.loop.foundation.trials import is_blinded
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.drift_groups import drifted_group
from medloop.loop.judging.triage import RISK, TriageRule, confidence_score, missing_patients, triage_rule
from medloop.loop.judging.trust import standing_of
from medloop.quality.deferral import Decision
from medloop.store.reader import Reader

VERDICTS: dict[Decision, str] = {"accept": "likely good", "review": "may need correction", "second expert": "likely poor"}
UNLIKE = "unlike the cases that the model was judged on"


@dataclass(frozen=True)
class CaseOutlook:
    """What an annotator may expect.

    Attributes:
        round: Number of the round; None outside rounds and where gold cases come in between, and `place`, `cases` and `left` are 0 then.
        place: The how manieth case of the round this is, by those that are done.
        cases: Cases of the round.
        left: Cases of the round that are not done, without this one.
        verdict: What the triage says of the proposal; "" without a verdict.
        expected, low, high: Predicted quality with its interval; None where it cannot be told.
        lacking: Why there is no verdict; "" where there is one, or no proposal to judge.
    """

    round: int | None
    place: int
    cases: int
    left: int
    verdict: str
    expected: float | None
    low: float | None
    high: float | None
    lacking: str


def case_outlook(workspace: Workspace, assignment_id: str) -> CaseOutlook:
    """The outlook on an open case.

    Raises:
        NotFoundError: No such assignment.
    """
    with workspace.store.read() as tx:
        assignment = tx.get(Assignment, assignment_id)
        index, place, cases, left = _place(tx, assignment)
        shown, hidden = _proposal(tx, assignment)
        rule, lacking = _rule(tx, shown) if shown else (None, "The proposal is hidden until your first stroke" if hidden else "")
        case = tx.get(Case, assignment.case_id)
    verdict = _decided(workspace, rule, shown, case) if rule and shown else ""
    quality = (shown.quality, shown.quality_low, shown.quality_high) if shown else (None, None, None)
    return CaseOutlook(index, place, cases, left, verdict, *quality, lacking)


def _place(tx: Reader, assignment: Assignment) -> tuple[int | None, int, int, int]:
    """Nobody counts where gold cases come in between: these would be told by not counting."""
    settings = project_settings(tx)
    if assignment.round_id is None or settings.gold_rate or settings.tutorial:
        return None, 0, 0, 0
    current = tx.get(Round, assignment.round_id)
    asked = {c.case_id for c in tx.get(Query, current.query_id).choices} if current.query_id else set()
    waiting = set(choices_left(tx, current))
    left = len(waiting - {assignment.case_id})
    return current.index, len(asked) - left, len(asked), left


def _proposal(tx: Reader, assignment: Assignment) -> tuple[Prediction | None, bool]:
    """The proposal that the annotator sees, if the draft is not about somebody's annotation, and whether it is hidden."""
    if began(tx, assignment) == "annotation":
        return None, False
    if assignment.proposal_id is not None:
        return tx.get(Prediction, assignment.proposal_id), False
    hidden = hidden_proposal(tx, assignment)
    return (hidden, False) if assignment.revision > 0 else (None, hidden is not None)


def _rule(tx: Reader, proposal: Prediction) -> tuple[TriageRule | None, str]:
    """What a verdict is decided by, or why there is none; in a trial of two models it would tell whose proposal it is."""
    if is_blinded(tx, proposal.model_id):
        return None, "not judged while two models are compared"
    if (missing := missing_patients(tx)) > 0:
        return None, f"cannot be judged yet: {counted(missing, 'more evaluated patient')}"
    rule = triage_rule(tx, risk=RISK)
    if rule.model.id != proposal.model_id:
        model = tx.get(Model, proposal.model_id)
        return None, f"cannot be judged: it is of {model.outside or f'model {model.index}'}, and evaluated is model {rule.model.index}"
    return rule, ""


def _decided(workspace: Workspace, rule: TriageRule, proposal: Prediction, case: Case) -> str:
    standing = standing_of(workspace, rule.model, case)
    if standing is not None and standing.outside:
        return f"{UNLIKE} (p {standing.p:.2f})"
    if drifted := drifted_group(workspace, rule.model, case):
        return f"not known: {drifted} from the cases that the model was judged on"
    (decision,) = rule.deferral.decide([confidence_score(proposal)])
    return VERDICTS[decision]
