"""Counts of cases, kept by triggers, in place of an index that was added up anew for every page.

The statements stand here and nowhere else: what a migration does never changes.
"""
# ruff: noqa: S608  # the statements are made of constants

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BINS = 10
_KEY = "model_id, split, state, bin"
_NUMBERS = ("cases", "opened", "millionths")
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
_INSERT = f"INSERT INTO case_tallies ({_KEY}, {', '.join(_NUMBERS)})"
_ADD = f"ON CONFLICT ({_KEY}) DO UPDATE SET {', '.join(f'{n} = case_tallies.{n} + excluded.{n}' for n in _NUMBERS)}"
_PREDICTED = (
    f"{_INSERT} SELECT NEW.model_id, split, state, -1, 1, 0, 0 FROM case_states WHERE case_id = NEW.case_id AND NOT EXISTS "
    "(SELECT 1 FROM predictions AS other WHERE other.model_id = NEW.model_id AND other.case_id = NEW.case_id AND other.id <> NEW.id) "
    f"{_ADD};"
)


def upgrade() -> None:
    """Make the table, count what there is, and let the database keep the counts."""
    op.create_table(
        "case_tallies",
        sa.Column("model_id", sa.String(length=80), nullable=False),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bin", sa.Integer(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("millionths", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "split", "state", "bin", name=op.f("pk_case_tallies")),
    )
    for statement in _statements(sqlite=op.get_bind().dialect.name == "sqlite"):
        op.execute(statement)
    op.drop_index(op.f("ix_case_states_split_state_quality"), "case_states")
    op.create_index(op.f("ix_case_states_split_state_annotations"), "case_states", ["split", "state", "annotations"])


def _statements(*, sqlite: bool) -> Iterator[str]:
    """What makes the database count what there is, and keep the counts from then on."""
    yield f"{_INSERT} {_RECOUNT}"
    events = {"insert": ("INSERT", _moved("NEW", 1)), "delete": ("DELETE", _moved("OLD", -1))}
    events["update"] = ("UPDATE OF split, state, open_assignments, quality", _moved("OLD", -1) + _moved("NEW", 1))
    made = [(f"case_states_tally_{name}", f"{event} ON case_states", body) for name, (event, body) in events.items()]
    for name, event, body in (*made, ("predictions_tally", "INSERT ON predictions", _PREDICTED)):
        if sqlite:
            yield f"CREATE TRIGGER {name} AFTER {event} BEGIN {body} END"
        else:
            yield f"CREATE FUNCTION medloop_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
            yield f"CREATE TRIGGER {name} AFTER {event} FOR EACH ROW EXECUTE FUNCTION medloop_{name}()"


def _moved(row: str, by: int) -> str:
    """Add a line of the worklist to the counts, or take it away."""
    line = f"(SELECT {row}.split AS split, {row}.state AS state, {row}.quality AS quality, {row}.open_assignments AS open_assignments)"
    return (
        f"{_INSERT} SELECT '', split, state, {_BIN}, {by}, {by} * {_OPENED}, {by} * {_MILLIONTHS} FROM {line} AS line UNION ALL "
        f"SELECT DISTINCT model_id, {row}.split, {row}.state, -1, {by}, 0, 0 FROM predictions WHERE case_id = {row}.case_id {_ADD}; "
    )
