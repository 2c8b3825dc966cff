"""How many cases there are of each kind, kept by the database itself: questions about the whole pool read a few rows.

`case_tallies` is derived: triggers (of migration 0011) bring it up to date in the statement that changes a case's state or
adds a prediction.
A row without a model counts cases; one with a model counts the cases which that model has predicted. Qualities are summed
in millionths, as whole numbers: sums that grow and shrink all day stay exact.
"""
# ruff: noqa: S608  # the statements are made of constants

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select, text

from medloop.core.records import Split
from medloop.store.pool_rows import TransactionReader
from medloop.store.tables import case_tallies

BINS = 10
_BIN = (
    f"CASE WHEN quality IS NULL THEN -1 {' '.join(f'WHEN quality < {n / BINS} THEN {n - 1}' for n in range(1, BINS))} ELSE {BINS - 1} END"
)
_OPENED = "CASE WHEN open_assignments > 0 THEN 1 ELSE 0 END"
_MILLIONTHS = "CAST(round(coalesce(quality, 0) * 1000000) AS BIGINT)"

_RECOUNT = (
    f"SELECT '' AS model_id, split, state, {_BIN} AS bin, count(*) AS cases, sum({_OPENED}) AS opened, sum({_MILLIONTHS}) AS millionths "
    "FROM case_states GROUP BY split, state, 4 UNION ALL "
    "SELECT model_id, split, state, -1, count(DISTINCT predictions.case_id), 0, 0 "
    "FROM predictions JOIN case_states ON case_states.case_id = predictions.case_id GROUP BY model_id, split, state"
)


@dataclass(frozen=True)
class QualitySums:
    """Expected qualities of unanswered cases: how many, their sum, counts in ten equal bins of 0..1."""

    count: int
    total: float
    bins: tuple[int, ...]


def tallies_are_right(connection: Connection) -> bool:
    """Whether the counts are those of the rows; for the audit."""
    kept = connection.execute(select(case_tallies).where(case_tallies.c.cases != 0)).all()
    return {tuple(row) for row in kept} == {tuple(row) for row in connection.execute(text(_RECOUNT))}


class TallyReader(TransactionReader):
    """What is asked about counts."""

    def counts_by_state(self) -> list[tuple[Split, str, int, int]]:
        """(split, state, cases, cases that somebody has open)."""
        table = case_tallies.c
        query = select(table.split, table.state, func.sum(table.cases), func.sum(table.opened)).where(table.model_id == "")
        rows = self._connection.execute(query.group_by(table.split, table.state))
        return [(split, state, int(cases), int(opened)) for split, state, cases, opened in rows]

    def quality_sums(self, splits: Sequence[Split]) -> QualitySums:
        """Sums over the expected qualities of unanswered cases, of their newest predictions."""
        table = case_tallies.c
        of_pool = (table.model_id == "", table.split.in_(list(splits)), table.state == "unanswered", table.bin >= 0)
        query = select(table.bin, func.sum(table.cases), func.sum(table.millionths)).where(*of_pool).group_by(table.bin)
        rows = {row[0]: (int(row[1]), int(row[2])) for row in self._connection.execute(query)}
        bins = tuple(rows.get(n, (0, 0))[0] for n in range(BINS))
        return QualitySums(sum(bins), sum(total for _, total in rows.values()) / 1e6, bins)

    def unpredicted(self, model_id: str, splits: Sequence[Split]) -> int:
        """Unanswered cases of these splits that a model has not predicted: all of them, less those it has."""
        table = case_tallies.c
        signed = case((table.model_id == "", table.cases), else_=-table.cases)
        query = select(func.coalesce(func.sum(signed), 0)).where(table.model_id.in_(["", model_id]))
        return int(self._connection.execute(query.where(table.split.in_(list(splits)), table.state == "unanswered")).scalar_one())
