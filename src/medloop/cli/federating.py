"""`medloop federate`: sites that cannot share images train one network together, with Flower as the engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medloop.cli.option_groups import with_option_group
from medloop.cli.options import AsJson, ProjectFolder, Threads, argument, open_project, option
from medloop.cli.printing import print_json, say
from medloop.cli.setting_options import with_setting_options
from medloop.core.declaring import SettingValue, declared, setting
from medloop.core.errors import MedloopError, SettingError

if TYPE_CHECKING:
    from medloop.loop.learning.federated_privacy import Privacy
    from medloop.models.exchange.flower import Secured

federate = typer.Typer(
    name="federate",
    help="Federated rounds: sites that cannot share images train one network.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True, kw_only=True)
class _Serving:
    """How a federation learns, as options; the fields of `medloop.models.exchange.federation.Rounds`."""

    rounds: int = setting(10, "Rounds.", "--rounds", "at once", low=1, high=100_000)
    steps: int = setting(100, "Steps of training at each site in each round.", "--steps", "at once", low=1, high=10_000_000)
    sites: int = setting(
        0, "Sites that the first round waits for.", "--sites", "at once", low=0, high=10_000, shown_default="as --min-sites"
    )
    min_sites: int = setting(2, "Sites whose updates a round needs to count.", "--min-sites", "at once", low=1, high=10_000)
    strategy: str = setting(
        "fedavg", "fedavg averages by annotated cases; fedprox also holds each site near the common weights.", "--strategy", "at once",
        choices=("fedavg", "fedprox"),
    )  # fmt: skip
    proximal: float = setting(0.01, "How strongly fedprox does.", "--proximal", "at once", low=0.0, high=1e6)
    local_norm: bool = setting(False, "Scale and shift of normalisation layers stay each site's own.", "--local-norm", "at once")
    norm_bound: float = setting(
        0.0, "Longest update that counts (L2 norm).", "--norm-bound", "at once", low=0.0, high=1e12,
        shown_default="5 times the median of the round, from 3 updates on",
    )  # fmt: skip
    wait_minutes: float = setting(60.0, "How long a round waits for a site.", "--wait-minutes", "at once", low=0.05, high=100_000)
    meet_minutes: float = setting(
        3.0, "How long it waits for one that is to say what it offers.", "--meet-minutes", "at once", low=0.05, high=100_000
    )
    seed: int = setting(0, "Of the first weights and of what each round draws.", "--seed", "at once", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class _Door:
    """Where a coordinator listens."""

    host: Annotated[str, typer.Option("--host", help="Address to listen at; in the clear only 127.0.0.1.")] = "127.0.0.1"
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port; 0 takes a free one.")] = 9100
    tls_cert: Annotated[str, option("--tls-cert", metavar="FILE", help="Its certificate (PEM).")] = ""
    tls_key: Annotated[str, option("--tls-key", metavar="FILE", help="Its private key (PEM).")] = ""
    tls_ca: Annotated[str, option("--tls-ca", metavar="FILE", help="Certificate of the authority that signed it (PEM).")] = ""
    site_key: Annotated[
        list[str], option("--site-key", metavar="FILE", help="Public key of a site to let in (OpenSSH); once for each.")
    ] = field(default_factory=list)

    def secured(self) -> "Secured":
        """The same for Flower."""
        from medloop.models.exchange.flower import Secured

        given = [bool(one) for one in (self.tls_cert, self.tls_key, self.tls_ca)]
        if any(given) and not all(given):
            raise SettingError("TLS needs --tls-cert, --tls-key and --tls-ca, some are missing")
        _require_files(self.tls_cert, self.tls_key, self.tls_ca, *self.site_key)
        if self.site_key and not all(given):
            raise SettingError("Keys of sites are checked over TLS alone", remedy="give --tls-cert, --tls-key and --tls-ca, too")
        return Secured(self.tls_ca, self.tls_key, self.tls_cert, tuple(self.site_key))


@dataclass(frozen=True)
class _Trust:
    """How a site reaches a coordinator."""

    name: Annotated[str, option("--name", help="As the others see this site; the project's name without.")] = ""
    tls_ca: Annotated[str, option("--tls-ca", metavar="FILE", help="Certificate of the coordinator's authority (PEM).")] = ""
    key: Annotated[str, option("--key", metavar="FILE", help="Private key that this site shows (OpenSSH); its coordinator knows it.")] = ""
    epsilon: Annotated[float, option("--epsilon", min=0.0, help="Privacy that the rounds may cost a patient (DP-SGD); 0: no noise.")] = 0.0
    delta: Annotated[float, typer.Option("--delta", help="Of the same; below one over the number of patients.")] = 1e-5
    clip: Annotated[float, typer.Option("--clip", help="Of the same: longest gradient of one patient.")] = 1.0

    def privacy(self) -> "Privacy | None":
        """The same for a site."""
        from medloop.loop.learning.federated_privacy import Privacy

        return Privacy(epsilon=self.epsilon, delta=self.delta, clip=self.clip) if self.epsilon else None


def _require_files(*names: str) -> None:
    for name in names:
        if name and not Path(name).is_file():
            raise SettingError(f"There is no file {name}")


@federate.command()
def plan(
    folder: ProjectFolder,
    file: Annotated[Path, argument(metavar="FILE", help="Written: JSON without images or annotations.")],
) -> None:
    """Write what everybody is to train: labels, and the recipe that this project's images call for.

    A coordinator needs it, who has no images; whoever has the most typical ones makes it.
    """
    from medloop.loop.learning.federated import write_plan

    with open_project(folder) as workspace:
        made = write_plan(workspace, file)
    sizes = "×".join(map(str, made.recipe.patch))
    say(f"{file}: {made.recipe.dimension}D {made.kind} of {', '.join(made.labels)}, channels {made.recipe.channels}, patches {sizes}")


@federate.command()
@with_setting_options(declared(_Serving))
@with_option_group("door", _Door)
def serve(
    folder: Annotated[Path, argument(metavar="FOLDER", help="Of the federation: new, or one that goes on.")],
    plan: Annotated[Path, argument(metavar="PLAN", help="What medloop federate plan wrote.")],
    settings: Mapping[str, SettingValue],
    door: _Door,
    as_json: AsJson = False,
) -> None:
    """Coordinate: hold the rounds, average what sites send, leave out what does not fit.

    Ends after the last round. Killed before, the same command goes on after the last finished round.
    """
    from medloop.models.exchange.federation import Rounds, prepare, read_plan
    from medloop.models.exchange.federation_serving import serve as hold

    given: Any = dict(settings)
    secured = door.secured()
    terms = prepare(folder, read_plan(plan), Rounds(**given))
    say(f"federation {terms['id']}: {terms['rounds']} rounds of {terms['steps']} steps, {terms['strategy']}")
    done = hold(folder, (door.host, door.port), secured, say)
    if as_json:
        print_json(done)
    if not done.complete:
        raise MedloopError(f"The federation {done.words}")


@federate.command()
@with_option_group("trust", _Trust)
def join(
    folder: ProjectFolder,
    server: Annotated[str, option("--server", metavar="HOST:PORT", help="The coordinator.")],
    trust: _Trust,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Take part: this project learns from its own annotations; only weights, counts and figures leave it.

    Ends when the result has come, which is then a candidate among the project's models.
    """
    import os

    from medloop.loop.learning.federated_joining import join_federation
    from medloop.models.exchange.flower import Secured

    _require_files(trust.tls_ca, trust.key)
    with open_project(folder) as workspace:
        how: Any = {"secured": Secured(trust.tls_ca, trust.key), "privacy": trust.privacy(), "threads": threads or os.cpu_count() or 1}
        words = join_federation(workspace, server, say=say, name=trust.name, **how)
    if as_json:
        print_json({"words": words})
