"""A table of typed columns as CSV or Parquet: the same columns in the same order, whatever the rows hold.

Parquet needs pyarrow, the extra `tables`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from medloop.core.errors import UnavailableError
from medloop.datasets.staging import write_rows

ColumnType: TypeAlias = Literal["text", "number", "whole", "yes/no", "time"]
Columns: TypeAlias = Mapping[str, ColumnType]
Row: TypeAlias = Mapping[str, Any]
"""Column → text, number, bool, or a time as `medloop.core.records.now` writes it; None where nothing is known."""

_ARROW = {"text": "string", "number": "float64", "whole": "int64", "yes/no": "bool_"}


def write_table(path: Path, columns: Columns, rows: Sequence[Row]) -> None:
    """Write a CSV that no spreadsheet takes for formulas; times are UTC (ISO 8601), truths are true and false, unknown cells empty."""
    write_rows(path, list(columns), [[_cell(row[name]) for name in columns] for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def require_pyarrow() -> None:
    """Raise where Parquet cannot be written.

    Raises:
        UnavailableError: pyarrow is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise UnavailableError("Parquet needs pyarrow, which is not installed", remedy="pip install 'medloop[tables]'") from None


def write_parquet(path: Path, columns: Columns, rows: Sequence[Row]) -> None:
    """Write the same table as Parquet, with types: times are timestamps in UTC.

    Raises:
        UnavailableError: pyarrow is not installed.
    """
    require_pyarrow()
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {name: pa.timestamp("us", tz="UTC") if kind == "time" else getattr(pa, _ARROW[kind])() for name, kind in columns.items()}
    read = {name: [_value(row[name], kind) for row in rows] for name, kind in columns.items()}
    pq.write_table(pa.table({name: pa.array(read[name], kinds[name]) for name in columns}), path)


def _value(value: Any, kind: ColumnType) -> Any:
    return datetime.fromisoformat(value) if kind == "time" and value else None if kind == "time" else value
