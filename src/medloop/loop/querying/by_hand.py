"""A query of cases that a person chose, on the map of the pool for example: the strategy puts them into order, or takes the best of them.

Such a choice is no draw from the pool: its picks have no chance, and the query says that a person chose. Estimates that undo the choice of
cases leave them out (`medloop.loop.judging.drawn`), bandits learn nothing from them. The round is open at once, after those that are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from medloop.core.errors import ConflictError, InputError, NotFoundError, StateError
from medloop.core.names import counted, first_named
from medloop.core.records import BY_HAND, Assignment, Case, Model, Query, Round, new_id, now
from medloop.core.seeds import derive_seed
from medloop.core.states import RoundState
from medloop.loop.foundation.damage import damaged_cases
from medloop.loop.foundation.disposed import accepted_cases, kept_from_queries
from medloop.loop.foundation.job_kinds import Choose, request_job
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.round_moves import add_round
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.bandits import followed
from medloop.loop.querying.parts import with_parts
from medloop.loop.querying.pool_table import PoolTable, pool_scores, pool_table
from medloop.loop.querying.pools import PoolInputs
from medloop.loop.querying.queries import first_able, queried_case_ids, rows_of
from medloop.store.reader import Reader
from medloop.store.states import SHOWN_STATES
from medloop.store.worklist import Listing

MOST = 1000
"""Cases of one such query at most: more are a strategy's business."""

_NO_POOL = {
    "audit": "it is of the audit sample, which is drawn at random",
    "validation": "it is kept for evaluation",
    "test": "it is kept for evaluation",
}


@dataclass(frozen=True)
class ByHand:
    """What came of it: the query and the number of its round, and (case, why) of those that cannot be queried."""

    query: Query
    round: int
    left: tuple[tuple[str, str], ...] = ()


def query_by_hand(
    workspace: Workspace, case_ids: Sequence[str], *, by: str = "", count: int | None = None, actor: str = "system"
) -> ByHand:
    """Begin a round of cases that a person chose.

    Args:
        workspace: The project.
        case_ids: The cases; those that cannot be queried are named, not queried.
        by: Who chose them, for the reasons.
        count: So many of them, chosen by the project's strategy; None for all.
        actor: Who asks, for the audit.

    Raises:
        InputError: None was named, or more than `MOST` are to be queried.
        NotFoundError: There is no such case.
        StateError: None of them can be queried.
        ConflictError: Somebody else queried one of them at the same moment.
    """
    wanted = list(dict.fromkeys(case_ids))
    if not wanted:
        raise InputError("A query by hand needs cases, got none", remedy="name some")
    with workspace.store.read() as tx:
        why, names = _why_not(workspace, tx, wanted)
        index, model = tx.count(Round) + 1, tx.live_model()
        table = pool_table(workspace, tx)
    able = sorted(names[i] for i in wanted if not why[i])
    left = tuple((names[i], reason) for i, reason in why.items() if reason)
    if not able:
        raise StateError(f"None of these {counted(len(wanted), 'case')} can be queried: {_reasons(left)}", remedy="choose others")
    size = len(able) if count is None else min(count, len(able))
    if size > MOST:
        raise InputError(f"At most {MOST} cases are queried by hand, got {size}", remedy="say how many of them the strategy is to choose")
    query = _made(workspace, able, table, _Wanted(index, size, model, by))
    return ByHand(query, _begin(workspace, query, by, actor), left)


def cases_called(workspace: Workspace, names: Sequence[str]) -> list[str]:
    """The ids of the cases of these names.

    Raises:
        NotFoundError: There is no case of one of them.
    """
    with workspace.store.read() as tx:
        known = {case.name: case.id for case in tx.find(Case, where={"name": list(names)})}
    if missing := [name for name in names if name not in known]:
        raise NotFoundError(f"No case is called {first_named(missing)}", remedy="see the names in the worklist")
    return [known[name] for name in names]


@dataclass(frozen=True)
class _Wanted:
    index: int
    size: int
    model: Model | None
    by: str


def _made(workspace: Workspace, able: Sequence[str], table: PoolTable, wanted: _Wanted) -> Query:
    settings, model = workspace.settings, wanted.model
    with workspace.store.read() as tx:
        scores = rows_of(pool_scores(workspace, tx, model.id, table), table.places(able)) if model else None
        first, _ = followed(workspace, tx, wanted.index)
    inputs = PoolInputs(workspace, able, model, {}, wanted.index, thorough=False, scores=scores)
    names = (first, settings.first_strategy, "random") if model else (settings.first_strategy, "random")
    chosen, choices, _ = first_able(names, inputs, table, wanted.size)
    who = f"chosen by {wanted.by}" if wanted.by else "chosen by hand"
    choices = [replace(one, reason=f"{who}; {chosen}: {one.reason}", probability=None, left=None) for one in choices]
    return Query(
        id=new_id("query"),
        strategy=BY_HAND,
        seed=derive_seed(settings.seed, "query", wanted.index),
        model_id=model.id if model and chosen == first else None,
        choices=tuple(with_parts(workspace, choices, model)),
        created_at=now(),
    )


def _begin(workspace: Workspace, query: Query, by: str, actor: str) -> int:
    """Begin the round, and give its number.

    Raises:
        ConflictError: Another query has taken one of the cases meanwhile.
    """
    chosen = {one.case_id for one in query.choices}
    with workspace.store.write(actor) as tx:
        if taken := queried_case_ids(tx) & chosen:
            names = [tx.get(Case, one).name for one in sorted(taken)]
            raise ConflictError(f"Somebody queried {first_named(names)} at the same moment", remedy="query the others again")
        tx.add(query, verb="choose")
        begun = add_round(tx, query, RoundState.ANNOTATING, f"chosen by {by}" if by else "chosen by hand")
        waiting = [tx.get(Query, r.query_id) for r in tx.find(Round, where={"state": "querying"}) if r.query_id]
    if any(chosen & {one.case_id for one in prepared.choices} for prepared in waiting):
        request_job(workspace, Choose(), f"query-{query.id}")  # the prepared round is to hold none of them
    return begun.index


def _why_not(workspace: Workspace, tx: Reader, wanted: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Why each case cannot be queried, "" where it can; and the names of all."""
    rows = {row.case_id: row for row in tx.work_page(Listing(case_ids=wanted), limit=len(wanted)).rows}
    for missing in (one for one in wanted if one not in rows):
        tx.get(Case, missing)
    queried, damaged = queried_case_ids(tx), {case.case_id: case.reason for case in damaged_cases(workspace)}
    kept = _kept_by_stream(tx)
    opened = _open_now(tx, [i for i, row in rows.items() if row.open_assignments])
    why: dict[str, str] = {}
    for case_id in wanted:
        row = rows[case_id]
        why[case_id] = (
            _NO_POOL.get(row.split, "")
            or (f"it is {SHOWN_STATES[row.state]}" if row.state != "unanswered" else "")
            or ("it is queried already" if case_id in queried else "")
            or ("somebody has it open" if case_id in opened else "")
            or kept.get(case_id, "")
            or damaged.get(case_id, "")
        )
    return why, {i: row.name for i, row in rows.items()}


def _kept_by_stream(tx: Reader) -> dict[str, str]:
    """Cases that no query takes as the stream has decided about them, or will, and why."""
    accepted = accepted_cases(tx)
    words = {
        True: "the stream accepted its proposal (medloop dispositions DIR recall)",
        False: "the stream has not decided about it so far",
    }
    return {case_id: words[case_id in accepted] for case_id in kept_from_queries(tx, on=project_settings(tx).stream_risk > 0)}


def _open_now(tx: Reader, case_ids: Collection[str]) -> set[str]:
    return {one.case_id for one in tx.find(Assignment, where={"case_id": list(case_ids), "state": "open"})} if case_ids else set()


def _reasons(left: Sequence[tuple[str, str]]) -> str:
    by_reason = dict[str, list[str]]()
    for name, reason in left:
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{first_named(names)}: {reason}" for reason, names in by_reason.items())
