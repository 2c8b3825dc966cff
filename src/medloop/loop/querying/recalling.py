"""What a lead does about a stream: have its rule made anew, which lifts an alarm, or have accepted cases read after all."""

from medloop.core.errors import InputError, StateError
from medloop.core.names import one_line
from medloop.core.records import Case
from medloop.loop.foundation.disposed import RECALL, RENEW, STREAM, Disposition, standing_dispositions
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.stream_audit import standing_alarm
from medloop.loop.judging.stream_rule import rule_in_force
from medloop.loop.querying.stream_rounds import open_stream_round, record_disposition
from medloop.store.writer import Writer

LONGEST_REASON = 500


def renew_rule(workspace: Workspace, *, why: str, actor: str) -> None:
    """Have a rule made anew, on all patients evaluated by then; an alarm is lifted by it.

    Raises:
        InputError: No reason, or one of more than 500 characters.
        StateError: There is neither a rule nor an alarm.
    """
    reason = _reason(why)
    with workspace.store.write(actor) as tx:
        rule, alarm = rule_in_force(tx, project_settings(tx)), standing_alarm(tx)
        if rule is None and alarm is None:
            raise StateError("There is no rule to make anew: the next case that arrives makes one", remedy="medloop dispositions DIR")
        body = {"why": reason, "rule": rule.number if rule else 0, "alarm": alarm["number"] if alarm else 0}
        tx.record(RENEW, STREAM, rule.model_id if rule else str(alarm["model_id"] if alarm else ""), body)


def recall_accepted(workspace: Workspace, *, why: str, actor: str, model_index: int | None = None) -> list[Disposition]:
    """Have people read the accepted cases that nobody has read so far: their proposals count as accepted no longer.

    A case that somebody has open is recalled, too: their draft is its reading, and who leaves it without one leaves it to others.
    Those of the audit sample are left alone: people read them anyway, and the audit is of what was accepted.

    Args:
        workspace: The project.
        why: The reason, which stands with each of them.
        actor: Who does it, for the audit.
        model_index: Only those that this model's rule accepted; None for all.

    Raises:
        InputError: No reason, or one of more than 500 characters.
        StateError: No such case.
    """
    reason = _reason(why)
    with workspace.store.write(actor) as tx:
        standing = {i: one for i, one in standing_dispositions(tx).items() if one.decision == "accepted"}
        wanted = [i for i, one in standing.items() if model_index is None or one.model_index == model_index]
        free = tx.unread_among(wanted)
        found = tx.find(Case, where={"id": wanted}) if wanted else []
        cases = [case for case in found if case.id in free and case.voxels and case.split != "audit"]
        if not cases:
            of = f" by model {model_index}" if model_index is not None else ""
            raise StateError(f"No accepted case{of} is left that nobody has read", remedy="medloop dispositions DIR")
        tx.record(RECALL, STREAM, workspace.project.id, {"why": reason, "cases": len(cases), "model_index": model_index})
        recalled = [_recalled(tx, case, standing[case.id], reason) for case in cases]
        open_stream_round(tx, tx.live_model(), cases, recalled)
    return recalled


def _recalled(tx: Writer, case: Case, before: Disposition, reason: str) -> Disposition:
    body = {name: getattr(before, name) for name in ("score", "model_id", "model_index", "prediction_id", "rule", "above")}
    why = f"accepted by model {before.model_index}, then recalled: {reason}"
    return record_disposition(tx, case, {**body, "decision": "deferred", "reason": why})


def _reason(why: str) -> str:
    reason = one_line(why)
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise InputError(f"A reason of 1 to {LONGEST_REASON} characters is needed, got {len(reason)}", remedy="say why")
    return reason
