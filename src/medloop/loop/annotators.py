"""People and programs that answer, found or made by name."""

from medloop.core.names import checked_name
from medloop.core.records import Annotator, AnnotatorKind, new_id, now
from medloop.loop.workspace import Workspace


def annotator_named(workspace: Workspace, name: str, *, kind: AnnotatorKind = "person", program: bool = False) -> Annotator:
    """The annotator of that name; made at first use.

    Args:
        workspace: The project.
        name: As given; see `medloop.core.names`.
        kind: What a new one is.
        program: Whether a part of medloop asks, which may use a reserved name.

    Raises:
        InputError: An empty, over-long or reserved name, or one with control characters.
    """
    cleaned = checked_name(name, program=program)
    with workspace.store.read() as tx:
        found = tx.find(Annotator, where={"name": cleaned}, limit=1)
    if found:
        return found[0]
    annotator = Annotator(id=new_id("annotator"), name=cleaned, kind=kind, created_at=now())
    with workspace.store.write(annotator.id) as tx:
        again = tx.find(Annotator, where={"name": cleaned}, limit=1)
        if again:
            return again[0]
        tx.add(annotator, verb="join")
    return annotator
