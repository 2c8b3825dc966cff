"""Ask an engine under guard: the one way from a prompt to a change, for the page, REST, nnInteractive and Python."""

from collections.abc import Sequence

from medloop.core.arrays import MaskArray
from medloop.interaction.agreeing import narrowed_by
from medloop.interaction.engine import Engine, ImageEmbedding, RefinedMask, StillWanted, require_wanted
from medloop.interaction.guard import Guard, held
from medloop.interaction.locks import check_locks, require_unlocked
from medloop.interaction.moments import refine_by_frame
from medloop.interaction.prompts import Prompt, check_prompts


def refine_guarded(
    engine: Engine,
    embedding: ImageEmbedding,
    mask: MaskArray,
    prompts: Sequence[Prompt],
    new: Sequence[Prompt],
    guard: Guard,
    *,
    wanted: StillWanted = lambda: True,
) -> RefinedMask:
    """An engine's answer to new prompts, held to what they may change.

    Args:
        engine: Who answers.
        embedding: Its view of the image.
        mask: As it stands, shape (I, J, K); not changed.
        prompts: Those in force already, in order.
        new: Those that follow now.
        guard: The task's labels, and what stays.
        wanted: Whether the answer is still wanted.

    Raises:
        InputError: A prompt that cannot be obeyed, or one that locks leave nothing to do for.
        LabelError: A label, or a lock on one, that the task does not have.
        CancelledError: The answer is no longer wanted.
        UnavailableError: What stands behind the engine does not answer.
    """
    every, labels, locked = [*prompts, *new], guard.labels, guard.locked
    check_locks(locked, labels)
    check_prompts(new, mask.shape, labels=labels)
    require_unlocked(new, mask, locked)
    check_prompts(every, mask.shape, labels=labels)

    def refine(before: MaskArray, earlier: Sequence[Prompt], asked: Sequence[Prompt]) -> RefinedMask:
        shown, given = before.view(), [*earlier, *asked]
        shown.flags.writeable = False
        require_wanted(wanted)
        answer = engine.refine(embedding, given, labels=labels, previous=shown, locked=locked, wanted=wanted)
        require_wanted(wanted)
        return held(before, answer, given, grid=embedding.image.grid, narrow=narrowed_by(embedding.image), new=asked, guard=guard)

    return refine_by_frame(mask, prompts, new, refine) if guard.over_time and new else refine(mask, prompts, new)
