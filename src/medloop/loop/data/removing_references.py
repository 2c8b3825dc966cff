"""Take a series away from beside a case."""

from medloop.core.errors import StateError
from medloop.core.records import Case, ReferenceSeries, now
from medloop.loop.foundation.references import reference_named, reference_standing
from medloop.loop.foundation.workspace import Workspace


def remove_reference(workspace: Workspace, case: Case, name: str = "", *, only: str = "", actor: str = "system") -> ReferenceSeries:
    """Take a reference away, by its name or by its id in `only`.

    Its record stays for the audit, its voxels go with the next `medloop doctor --sweep`.

    Raises:
        NotFoundError: The case has none of that name or id.
        StateError: The project can only be read.
    """
    if workspace.store.read_only:
        raise StateError(f"Nothing can be taken from this project: {workspace.store.read_only}", remedy="make it writable")
    with workspace.store.write(actor) as tx:
        found = reference_standing(tx, case.id, only) if only else reference_named(tx, case, name)
        tx.change(ReferenceSeries, found.id, verb="remove", fields={"removed_at": now(), "voxels": ""})
    return found
