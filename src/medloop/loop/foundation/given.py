"""What cases have that is less than a whole annotation: kinds of marks, parts, and whether a proposal was rejected; for lists of cases."""

from collections.abc import Collection
from typing import Literal, TypeAlias, get_args

from medloop.core.errors import BlobError, IntegrityError
from medloop.interaction.weak.marks import kind_of_mark
from medloop.loop.foundation.marked import load_marks
from medloop.store.blobs import Blobs
from medloop.store.reader import Reader

Given: TypeAlias = Literal["point", "scribble", "box", "extreme_points", "superpixel", "tag", "part", "rejected"]
GIVEN: tuple[Given, ...] = get_args(Given)


def given_kinds(tx: Reader, blobs: Blobs, case_ids: Collection[str] | None = None) -> dict[str, tuple[Given, ...]]:
    """Case id → the kinds that are in force of it, in the order of `GIVEN`; cases without any are not in it."""
    found: dict[str, set[str]] = {}
    for one in tx.marked_annotations(case_ids=case_ids):
        try:
            found.setdefault(one.case_id, set()).update(kind_of_mark(mark) for mark in load_marks(blobs, one))
        except (BlobError, IntegrityError):  # a damaged annotation hides no list of cases; the audit names it
            found.setdefault(one.case_id, set())
    for one in tx.partial_annotations(case_ids=case_ids):
        found.setdefault(one.case_id, set()).add("part")
    for one in tx.rejections():
        if case_ids is None or one.case_id in case_ids:
            found.setdefault(one.case_id, set()).add("rejected")
    return {case_id: tuple(kind for kind in GIVEN if kind in kinds) for case_id, kinds in found.items() if kinds}
