"""A mark of a set of cases: the same for the same cases in whatever order, and known for what is left when a case is taken.

Source: incremental hashing by sums (AdHash), Bellare & Micciancio 1997, doi:10.1007/3-540-69053-0_13; here against chance, not attack.
"""

import hashlib
from collections.abc import Iterable

_BITS = 64


def pool_mark(case_ids: Iterable[str]) -> str:
    """The mark of these cases, 16 hexadecimal digits: the sum of their hashes."""
    return _text(sum(map(_hash, case_ids)))


def mark_without(mark: str, case_id: str) -> str:
    """The mark of what is left of a set when a case of it is taken."""
    return _text(int(mark, 16) - _hash(case_id))


def _hash(case_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(case_id.encode(), digest_size=_BITS // 8).digest(), "big")


def _text(total: int) -> str:
    return f"{total % (1 << _BITS):0{_BITS // 4}x}"
