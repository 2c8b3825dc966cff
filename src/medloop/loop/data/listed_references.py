"""The references of cases as a list."""

from collections.abc import Mapping
from dataclasses import dataclass

from medloop.core.errors import NotFoundError
from medloop.core.records import Case, FrameRelation, ReferenceSeries
from medloop.loop.foundation.workspace import Workspace

POSITIONS: Mapping[FrameRelation, str] = {
    "same": "same frame of reference",
    "registered": "registered, as declared when it was added",
    "files": "by the positions in the files, which name no common frame of reference",
    "other": "other frame of reference: position not comparable",
    "none": "no position is stored: position not comparable",
}
"""How positions of a reference relate to its case's, for people."""


@dataclass(frozen=True)
class ReferenceLine:
    """A reference beside a case.

    Attributes:
        position: How its positions relate to the case's, in words.
    """

    case: str
    name: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    frame: FrameRelation
    position: str
    notes: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """As a line of a table."""
        shape, size = " × ".join(map(str, self.shape)), " × ".join(f"{mm:.3g}" for mm in self.spacing_mm)
        return (self.case, self.name, shape, size, self.position)


def line_of(case: Case, one: ReferenceSeries) -> ReferenceLine:
    """A reference as a line."""
    return ReferenceLine(case.name, one.name, one.grid.shape, one.grid.spacing_mm, one.frame, POSITIONS[one.frame], one.notes)


def reference_lines(workspace: Workspace, case: str = "") -> tuple[ReferenceLine, ...]:
    """The references that stand, of one case or of all.

    Raises:
        NotFoundError: No case of that name.
    """
    only = {"case_id": case_called(workspace, case).id} if case else {}
    with workspace.store.read() as tx:
        standing = [one for one in tx.find(ReferenceSeries, where=only) if one.removed_at is None]
        cases = {one.case_id: tx.get(Case, one.case_id) for one in standing}
    return tuple(line_of(cases[one.case_id], one) for one in standing)


def case_called(workspace: Workspace, name: str) -> Case:
    """The case of that name.

    Raises:
        NotFoundError: There is none.
    """
    with workspace.store.read() as tx:
        found = tx.find(Case, where={"name": name}, limit=1)
    if not found:
        raise NotFoundError(f"There is no case {name!r}", remedy="medloop annotated lists cases, and so does the worklist")
    return found[0]
