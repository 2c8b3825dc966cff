"""How simulated annotators work on a mask: drawn from nothing, or the proposal corrected as people do."""

from dataclasses import dataclass

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.image import Image, Mask
from medloop.core.settings import GivenKind
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.simulated_users.cheapest import Prompting, work_through
from medloop.interaction.simulated_users.effort import EFFORT_MODELS, EffortModel
from medloop.simulation.study_settings import Annotators, EffortName


@dataclass(frozen=True)
class Manner:
    """How annotators work.

    Attributes:
        given: What they give of a case that trains.
        annotators: Whether they draw masks, or correct proposals.
        effort: Name of the model of their times.
    """

    given: GivenKind = "mask"
    annotators: Annotators = "draw"
    effort: EffortName = "stated"

    @property
    def times(self) -> EffortModel:
        """The model of their times."""
        return EFFORT_MODELS[self.effort]

    @property
    def needs_proposals(self) -> bool:
        """Whether the pool must be predicted whatever the strategy."""
        return self.annotators == "correct" and self.given == "mask"


def corrected_mask(
    truth: Mask, image: Image, proposal: MaskArray | None, labels: tuple[int, ...], effort: EffortModel, rng: np.random.Generator
) -> tuple[MaskArray, float]:
    """A mask as a person leaves it who views every slice, and the seconds it took; see `cheapest.work_through`.

    Args:
        truth: What they know.
        image: What their prompts are about, which the classical engine answers.
        proposal: Label values, shape (I, J, K); None where nothing was shown, and every slice is drawn.
        labels: The task's label values.
        effort: Of their times.
        rng: Their chance.
    """
    axis = truth.grid.paging_axis
    engine = ClassicalEngine()
    prompting = None if proposal is None else Prompting(engine, engine.embed(image), labels, rng)
    begun = np.zeros_like(truth.array) if proposal is None else proposal
    worked = work_through(begun, truth.array, axis, range(truth.array.shape[axis]), effort, prompting)
    return worked.mask, worked.tally.seconds(effort)
