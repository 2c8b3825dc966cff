"""The federations of a project, as answers hold them."""

from typing import Any

from medloop.server.wire.views import View


class SiteUpdateView(View):
    """A site's update in a round; `loss` is null of a private site, `epsilon` of any other."""

    site: str
    cases: int
    norm: float
    loss: float | None
    epsilon: float | None


class FederatedRoundView(View):
    """A round: updates that counted, site → why its update was left out, and sites that were missing."""

    round: int
    seconds: float
    sites: list[SiteUpdateView]
    left_out: dict[str, str]
    missing: list[str]


class FederationView(View):
    """A federation: `dice` of its result by split on this site's evaluation patients, `privacy` empty without noise."""

    id: str
    model_index: int
    standing: str
    strategy: str
    rounds_held: int
    rounds_planned: int
    sites: list[str]
    cases: int
    terms: dict[str, Any]
    rounds: list[FederatedRoundView]
    dice: dict[str, float]
    privacy: dict[str, Any]


class FederationAccountView(View):
    """ε and δ of all federations with noise together, how many these are, and how many had none."""

    epsilon: float
    delta: float
    federations: int
    without_noise: int


class FederationsView(View):
    """The federations of a project, the newest first."""

    federations: list[FederationView]
    account: FederationAccountView
