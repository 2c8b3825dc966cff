"""Ask an engine under guard: the one way from a prompt to a change, for the page, REST, nnInteractive and Python."""

from collections.abc import Sequence

from medloop.core.arrays import BoolArray, MaskArray
from medloop.interaction.agreeing import narrowed_by
from medloop.interaction.engine import Engine, ImageEmbedding, RefinedMask, StillWanted, require_wanted
from medloop.interaction.guard import Guard, held
from medloop.interaction.locks import check_locks, require_unlocked
from medloop.interaction.prompts import Prompt, check_prompts


def ask_guarded(
    engine: Engine,
    embedding: ImageEmbedding,
    mask: MaskArray,
    prompts: Sequence[Prompt],
    new: Sequence[Prompt],
    *,
    labels: Sequence[int],
    locked: Sequence[int] = (),
    painted: BoolArray | None = None,
    guard: Guard | None = None,
    wanted: StillWanted = lambda: True,
) -> RefinedMask:
    """An engine's answer to new prompts, held to what they may change.

    Args:
        engine: Who answers.
        embedding: Its view of the image.
        mask: As it stands, shape (I, J, K); not changed.
        prompts: Those in force already, in order.
        new: Those that follow now.
        labels: The task's label values.
        locked: Labels that stay.
        painted: Voxels painted by hand, shape (I, J, K).
        guard: How far a prompt reaches; None is `guard_for` the image.
        wanted: Whether the answer is still wanted.

    Raises:
        InputError: A prompt that cannot be obeyed, or one that locks leave nothing to do for.
        LabelError: A label, or a lock on one, that the task does not have.
        CancelledError: The answer is no longer wanted.
        UnavailableError: What stands behind the engine does not answer.
    """
    check_locks(locked, labels)
    check_prompts(new, mask.shape, labels=labels)
    require_unlocked(new, mask, locked)
    check_prompts([*prompts, *new], mask.shape, labels=labels)
    shown = mask.view()
    shown.flags.writeable = False
    require_wanted(wanted)
    answer = engine.refine(embedding, [*prompts, *new], labels=labels, previous=shown, locked=locked, wanted=wanted)
    require_wanted(wanted)
    within = (answer.start, answer.stop)
    image, every = embedding.image, [*prompts, *new]
    narrow = narrowed_by(image)
    return held(mask, answer, every, new=new, within=within, grid=image.grid, narrow=narrow, locked=locked, painted=painted, guard=guard)
