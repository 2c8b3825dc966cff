"""The references that stand beside a case."""

from dataclasses import dataclass

from medloop.core.errors import NotFoundError
from medloop.core.names import folded
from medloop.core.records import Case, ReferenceSeries
from medloop.store.reader import Reader


@dataclass(frozen=True)
class HowToAdd:
    """What somebody says of a reference.

    Attributes:
        name: What it is called; "" for words of its sequence, or the end of its file's name.
        registered: Its positions are those of the case, whatever its header says.
        same_patient: It is of the case's patient, whatever its header says.
    """

    name: str = ""
    registered: bool = False
    same_patient: bool = False


def references_of(tx: Reader, case_id: str) -> tuple[ReferenceSeries, ...]:
    """Those of a case that were not taken away, in the order in which they came."""
    return tuple(one for one in tx.find(ReferenceSeries, where={"case_id": case_id}) if one.removed_at is None)


def reference_named(tx: Reader, case: Case, name: str) -> ReferenceSeries:
    """The reference of a case by its name.

    Raises:
        NotFoundError: It has none of that name.
    """
    standing = references_of(tx, case.id)
    for one in standing:
        if folded(one.name) == folded(name):
            return one
    there = ", ".join(one.name for one in standing) or "none"
    raise NotFoundError(f"{case.name} has no reference {name!r}", remedy=f"it has {there}")


def reference_standing(tx: Reader, case_id: str, reference_id: str) -> ReferenceSeries:
    """The reference of that id, beside that case.

    Raises:
        NotFoundError: There is none, it was taken away, or it is another case's.
    """
    found = next((one for one in references_of(tx, case_id) if one.id == reference_id), None)
    if found is None:
        raise NotFoundError(f"There is no reference {reference_id!r} beside this case", remedy="look at the case again")
    return found


def as_case(reference: ReferenceSeries, case: Case) -> Case:
    """A reference as an image of its case's patient, for whoever draws it."""
    return Case(
        id=reference.id,
        name=reference.name,
        patient=case.patient,
        split=case.split,
        grid=reference.grid,
        channels=reference.channels,
        dtype=reference.dtype,
        voxels=reference.voxels,
        window=reference.window,
        value_range=reference.value_range,
        source=reference.source,
        notes=reference.notes,
        added_at=reference.added_at,
    )
