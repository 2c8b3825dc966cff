"""Take part in a federation: a site's project learns, its Flower process carries weights."""

import tempfile
from pathlib import Path

from medloop.core.names import one_line
from medloop.core.records import Json
from medloop.loop.data.pacs_spool import alone
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.federated import Site
from medloop.loop.learning.federated_learning import Say
from medloop.loop.learning.federated_privacy import Privacy
from medloop.models.exchange.flower import Secured
from medloop.models.exchange.flower_site import Answer, attend


def join_federation(
    workspace: Workspace,
    server: str,
    *,
    say: Say,
    name: str = "",
    secured: Secured | None = None,
    threads: int = 1,
    privacy: Privacy | None = None,
) -> str:
    """Take part until the coordinator has sent the result, which is then a candidate of the project.

    Args:
        workspace: The project; nobody else needs to be working on it.
        server: HOST:PORT of the coordinator.
        say: Takes lines for whoever runs the site.
        name: As the others see it; the project's name without one.
        secured: How the coordinator is reached.
        threads: CPU threads.
        privacy: What the updates may cost each patient; None adds no noise.

    Returns:
        What became of the result, in words.

    Raises:
        SettingError: No such address, or one of another machine without a certificate.
        AtWorkError: The project takes part in a federation already, in another process.
        InputError: Flower's process ended, as it does when the coordinator refuses the connection for good.
        UnavailableError: There is no Flower.
    """
    from medloop.models.foundation.networks import blocks

    blocks()  # MONAI and torch take seconds to load: while Flower starts, and not in the first round
    site = Site(workspace, one_line(name or workspace.project.name)[:80], say, threads=threads, privacy=privacy)
    kept: list[str] = []

    def handle(verb: str, terms: Json, arrays: bytes) -> Answer:
        if verb == "meet":
            return site.meet(terms), None
        if verb == "learn":
            return site.learn(terms, arrays)
        answer = site.keep(terms, arrays)
        kept.append(str(answer["words"]))
        return answer, None

    with alone(workspace.work_folder / "federated-site", "federation"), tempfile.TemporaryDirectory(prefix="medloop-site-") as place:
        attend(Path(place), server, secured or Secured(), handle)
    return kept[-1]
