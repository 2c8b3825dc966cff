"""Where several answers to one case come from: MC dropout, ensemble members, heads and flips behind one interface.

A `Sampler` only plans: it turns "give me n samples" into passes, each saying which member to run, which axes to
mirror, and with which dropout. The predictor runs any plan. What the samples mean is the business of pure score
functions elsewhere.

Sources: Gal & Ghahramani 2016, arXiv:1506.02142 (dropout); Lakshminarayanan et al. 2017, arXiv:1612.01474
(ensembles); Wang et al. 2019, arXiv:1807.07356 (test-time augmentation).
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np

from medloop.core.settings import UncertaintySource


@dataclass(frozen=True)
class Pass:
    """One run of one network.

    Attributes:
        member: Which network of the ensemble.
        flips: Axes mirrored before, and mirrored back after.
        dropout_seed: Seed of the dropped channels, or None for the full network.
    """

    member: int = 0
    flips: tuple[int, ...] = ()
    dropout_seed: int | None = None


class Sampler(Protocol):
    """Plans passes."""

    def passes(self, samples: int, rng: np.random.Generator) -> tuple[Pass, ...]:
        """At least `samples` passes; more when the method needs more to be itself."""
        ...


@dataclass(frozen=True)
class McDropout:
    """The first member with random channels dropped in every pass."""

    def passes(self, samples: int, rng: np.random.Generator) -> tuple[Pass, ...]:
        """Exactly `samples` passes, each with its own seed."""
        return tuple(Pass(dropout_seed=_seed(rng)) for _ in range(samples))


@dataclass(frozen=True)
class OnePass:
    """The first member once: for a network with several heads, whose answers are the samples (`models.heads`)."""

    def passes(self, samples: int, rng: np.random.Generator) -> tuple[Pass, ...]:  # noqa: ARG002 - the protocol's arguments
        """One pass, whatever was asked."""
        return (Pass(),)


@dataclass(frozen=True)
class Ensemble:
    """Every member once."""

    members: int

    def passes(self, samples: int, rng: np.random.Generator) -> tuple[Pass, ...]:  # noqa: ARG002 - the protocol's arguments
        """One pass per member, whatever was asked: an ensemble has no more to say."""
        return tuple(Pass(member=member) for member in range(self.members))


@dataclass(frozen=True)
class FlipAugmentation:
    """The first member on images mirrored along some axes."""

    axes: tuple[int, ...]

    def passes(self, samples: int, rng: np.random.Generator) -> tuple[Pass, ...]:  # noqa: ARG002 - the protocol's arguments
        """The first `samples` mirror images, the image as it is first; at most all of them."""
        return tuple(Pass(flips=flips) for flips in mirror_images(self.axes)[:samples])


@dataclass(frozen=True)
class EverySource:
    """All three: members × mirror images with the full network first, then the same again with dropout."""

    members: int
    axes: tuple[int, ...]

    def passes(self, samples: int, rng: np.random.Generator) -> tuple[Pass, ...]:
        """`samples` passes, but at least one of each member."""
        plain = [Pass(member, flips) for flips in mirror_images(self.axes) for member in range(self.members)]
        wanted = max(samples, self.members)
        planned = plain[:wanted]
        for number in range(len(plain), wanted):
            again = plain[number % len(plain)]
            planned.append(Pass(again.member, again.flips, _seed(rng)))
        return tuple(planned)


def sampler_of(source: UncertaintySource, *, members: int, axes: tuple[int, ...]) -> Sampler:
    """The sampler of a project's setting, for so many members and the axes that may be mirrored."""
    known: dict[UncertaintySource, Sampler] = {
        "all": EverySource(members, axes),
        "softmax": OnePass(),
        "dropout": McDropout(),
        "flips": FlipAugmentation(axes),
        "ensemble": Ensemble(members),
    }
    return known[source]


def mirror_images(axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All subsets of the axes, smallest first: [(), (0,), (1,), (0, 1)] for (0, 1)."""
    return [subset for size in range(len(axes) + 1) for subset in combinations(axes, size)]


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**62))
