"""People and programs that answer, found or made by name."""

from medloop.core.errors import InputError
from medloop.core.records import Annotator, AnnotatorKind, new_id, now
from medloop.loop.workspace import Workspace

MAX_NAME = 80


def annotator_named(workspace: Workspace, name: str, *, kind: AnnotatorKind = "person") -> Annotator:
    """The annotator of that name; made at first use.

    Raises:
        InputError: An empty or over-long name, or one with control characters.
    """
    cleaned = name.strip()
    if not cleaned or len(cleaned) > MAX_NAME or not cleaned.isprintable():
        raise InputError(f"A name has 1 to {MAX_NAME} printable characters, got {len(cleaned)}", remedy="choose another name")
    with workspace.store.read() as tx:
        found = tx.find(Annotator, where={"name": cleaned}, limit=1)
    if found:
        return found[0]
    with workspace.store.write(cleaned) as tx:
        again = tx.find(Annotator, where={"name": cleaned}, limit=1)
        if again:
            return again[0]
        annotator = Annotator(id=new_id("annotator"), name=cleaned, kind=kind, created_at=now())
        tx.add(annotator, verb="join")
    return annotator
