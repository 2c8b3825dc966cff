"""How long a simulated user takes, by a model that is stated, not measured: print `EffortModel.describe` beside any minutes it gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from medloop.core.errors import SettingError
from medloop.interaction.prompts import Box, ExtremePoints, Point, Prompt, Scribble


@dataclass(frozen=True)
class EffortModel:
    """Seconds of a person's time per gesture.

    Attributes:
        click: One point. Source: Bearman et al. 2016, arXiv:1506.02106 (a first point on an object took 2.4 s).
        scribble: One stroke. An assumption: two to three clicks' worth.
        box: A box, by its extreme points. Source: Papadopoulos et al. 2017, arXiv:1708.02750 (7 s).
        slice_viewed: Looking at one slice for mistakes. An assumption.
        outline: Per voxel of boundary drawn by hand. An assumption, near 8 s for the outline of a structure of 40 voxels round.

    Raises:
        SettingError: A time that is negative or not a number.
    """

    click: float = 2.4
    scribble: float = 6.0
    box: float = 7.0
    slice_viewed: float = 1.5
    outline: float = 0.2

    def __post_init__(self) -> None:
        times = (self.click, self.scribble, self.box, self.slice_viewed, self.outline)
        if not all(np.isfinite(t) and t >= 0 for t in times):
            raise SettingError(f"Times of an effort model must be 0 or more seconds, got {times}")

    def prompt_seconds(self, prompt: Prompt) -> float:
        """One gesture; a lasso is an outline of its own length."""
        if isinstance(prompt, Point):
            return self.click
        if isinstance(prompt, Scribble):
            return self.scribble
        if isinstance(prompt, Box | ExtremePoints):
            return self.box
        corners = np.array(prompt.corners, dtype=np.float64)
        return self.outline * float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).sum())

    def refining_seconds(self, prompts: Sequence[Prompt], *, slices_viewed: int) -> float:
        """Gestures and the slices looked at meanwhile."""
        return sum(map(self.prompt_seconds, prompts)) + self.slice_viewed * slices_viewed

    def describe(self) -> str:
        """The model in words."""
        return (
            f"{self.click:g} s per click (arXiv:1506.02106), {self.scribble:g} s per scribble (assumed), "
            f"{self.box:g} s per box (arXiv:1708.02750), {self.slice_viewed:g} s per slice viewed (assumed), "
            f"{self.outline:g} s per voxel of boundary drawn freely (assumed)"
        )


EFFORT_MODELS: Mapping[str, EffortModel] = MappingProxyType(
    {
        "kind": EffortModel(click=1.5, scribble=4.0, box=5.0, slice_viewed=1.0, outline=0.25),
        "stated": EffortModel(),
        "harsh": EffortModel(click=3.5, scribble=9.0, box=10.0, slice_viewed=2.5, outline=0.15),
    }
)
"""By how they treat a tool that proposes: *kind*, drawing is slow and everything else quick; *harsh*, drawing is quick, and looking
and aiming slow. Both are assumptions around the stated one: about 0.6 and 1.5 times its times, and for drawing 1.25 and 0.75 times."""
