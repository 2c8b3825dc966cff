"""Who reads the cases of a project: those whom one may be given or returned to."""

from medloop.core.accounts import Account
from medloop.core.errors import NotFoundError
from medloop.core.names import folded, is_reserved
from medloop.core.records import Annotator
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import rights_in, roles_of
from medloop.server.web.site import Site


def annotators_here(site: Site, workspace: Workspace) -> list[str]:
    """Who may annotate: with accounts who has the right, else whoever has opened a case."""
    if site.people.are_on():
        with site.people.store().read() as tx:
            accounts = [one for one in tx.find(Account) if not one.disabled]
            return [one.name for one in accounts if "annotate" in rights_in(roles_of(tx, one.id), workspace.project.id)]
    with workspace.store.read() as tx:
        return [one.name for one in tx.find(Annotator) if one.kind == "person" and not is_reserved(one.name)]


def annotator_here(site: Site, workspace: Workspace, name: str) -> str:
    """Id of the annotator of that name, who must be able to annotate; one who has opened no case yet joins.

    Raises:
        NotFoundError: Nobody of that name annotates in the project.
    """
    found = next((one for one in annotators_here(site, workspace) if folded(one) == folded(name)), None)
    if found is None:
        raise NotFoundError(f"Nobody called {name!r} annotates here", remedy="GET /projects/{project}/review/people names who does")
    return annotator_named(workspace, found).id
