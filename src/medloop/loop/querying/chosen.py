"""What a round's query chose of a case."""

from medloop.core.records import Choice, Query, Round
from medloop.store.reader import Reader


def choice_of(tx: Reader, round_id: str | None, case_id: str) -> Choice | None:
    """The choice of a case by the query of a round; None outside of rounds, and where it did not choose the case."""
    if round_id is None or (query_id := tx.get(Round, round_id).query_id) is None:
        return None
    return next((one for one in tx.get(Query, query_id).choices if one.case_id == case_id), None)
