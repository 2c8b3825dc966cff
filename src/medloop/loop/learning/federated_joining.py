"""Take part in a federation: a site's project learns, its Flower process carries weights."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medloop.core.errors import ConflictError
from medloop.core.names import one_line
from medloop.core.records import Json
from medloop.loop.foundation.federated_account import account_of, account_words, summed
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.federated import Site
from medloop.loop.learning.federated_learning import Say
from medloop.loop.learning.federated_privacy import Privacy
from medloop.loop.learning.federated_result import finish_interrupted
from medloop.models.exchange.flower import Secured
from medloop.models.exchange.flower_site import Answer, attend
from medloop.store.claims import opened_lock


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
        ConflictError: The project takes part in a federation already, in another process.
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

    with _alone(workspace), tempfile.TemporaryDirectory(prefix="medloop-site-") as place:
        say(f"so far federations have cost this project: {account_words(summed(account_of(workspace)))}{_more(privacy)}")
        finish_interrupted(workspace, say, threads)
        attend(Path(place), server, secured or Secured(), handle)
    return kept[-1]


def _more(privacy: Privacy | None) -> str:
    if privacy is None:
        return "; this one adds no noise, so that nothing bounds what it costs"
    return f"; this one may add ε {privacy.epsilon:g} at δ {privacy.delta:g}"


@contextmanager
def _alone(workspace: Workspace) -> Iterator[None]:
    """Hold the project's part in federations for this process; a killed one lets go of it.

    Two at once would overwrite each other's weights, and count what they cost patients half.

    Raises:
        ConflictError: Another process holds it.
    """
    workspace.work_folder.mkdir(parents=True, exist_ok=True)
    with opened_lock(workspace.work_folder / "federated-site.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            rule = "This project takes part in a federation already, in another process"
            raise ConflictError(rule, remedy="end that one, or wait until it is done") from None
        yield
