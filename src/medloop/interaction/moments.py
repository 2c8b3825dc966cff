"""Prompts on a film: the slices along its last voxel axis are moments, so what a prompt changes stays in its own frame.

An engine looks at the film as at a volume, but of the mask it is shown the prompt's frame alone, with the prompts given there; its answer
counts in that frame alone. How far a prompt reaches, what touches it and whether it begins an object of its own is thus judged within
the frame, as on a picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import Shape3
from medloop.interaction.engine import RefinedMask, changed_box
from medloop.interaction.prompts import Prompt, prompt_to_json
from medloop.interaction.regions import placed, prompt_box

TIME = 2
"""The voxel axis along which the frames of a film lie."""

Frames: TypeAlias = tuple[int, int]
"""First frame, and one past the last."""

Refine: TypeAlias = Callable[[MaskArray, Sequence[Prompt], Sequence[Prompt]], RefinedMask]
"""An answer under guard: the mask as it stands, the prompts in force, the new ones."""


def frames_of(prompt: Prompt, shape: Shape3) -> Frames:
    """The frames that a prompt of a film lies in; one that was given before this rule may lie in several."""
    low, high = prompt_box(prompt, shape)
    return low[TIME], high[TIME]


def require_one_frame(prompts: Sequence[Prompt], shape: Shape3) -> None:
    """Refuse prompts that span frames of a film; all of them lie within the image.

    Raises:
        InputError: One that lies in several frames.
    """
    for prompt in prompts:
        first, end = frames_of(prompt, shape)
        if end - first > 1:
            kind = prompt_to_json(prompt)["kind"].replace("_", " ")
            raise InputError(
                f"A prompt on a film lies in one frame, got one over frames {first + 1} to {end} ({kind})",
                remedy="prompt one frame, then propagate its labels to the others",
            )


def refine_by_frame(mask: MaskArray, prompts: Sequence[Prompt], new: Sequence[Prompt], refine: Refine) -> RefinedMask:
    """The answer to new prompts, those of each frame apart; voxels of other frames are never written.

    Args:
        mask: As it stands, shape (I, J, K); not changed.
        prompts: Those in force already, in order.
        new: Those that follow now, at least one.
        refine: Who answers within one frame.
    """
    result, notes = mask.copy(order="K"), list[str]()
    for frames in dict.fromkeys(frames_of(prompt, mask.shape) for prompt in new):
        here = (slice(None), slice(None), slice(*frames))
        alone = np.zeros_like(mask)
        alone[here] = result[here]
        given, asked = ([p for p in some if frames_of(p, mask.shape) == frames] for some in (prompts, new))
        answer = refine(alone, given, asked)
        result[here] = answer.mask[here]
        notes.append(answer.note)
    low, high = (edge(frame for p in new for frame in frames_of(p, mask.shape)) for edge in (min, max))
    changed = changed_box(mask[..., low:high], result[..., low:high])
    start, stop = placed(changed, (0, 0, low))
    return replace(answer, mask=result, start=start, stop=stop, note="; ".join(dict.fromkeys(filter(None, notes))))
