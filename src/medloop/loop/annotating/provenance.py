"""How a mask came about: which voxels a prompt changed, the brush, a filling, a hypothesis taken in, or another program.

A voxel is told by what *first* gave it the value it ended with, so that a stroke drawn and undone leaves no trace, and
one that ended as it began counts as untouched.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import IntArray, MaskArray
from medloop.core.records import Annotation, DraftPatch, Json, PromptRecord, Provenance, new_id, now
from medloop.interaction.moments import TIME
from medloop.loop.annotating.open_edit import ELSEWHERE, FILLED, PROPAGATE, TAKE, TRACED, OpenEdit
from medloop.loop.annotating.prompt_log import in_force
from medloop.store.reader import Reader

HANDS: Mapping[str, int] = {"prompt": 1, "brush": 2, "elsewhere": 3, "filled": 4, "taken": 5, "propagated": 6, "traced": 7}
"""Codes in the arrays of this module; 0 is untouched."""


NO_VERBS: Mapping[str, str] = {}
_BY_VERB = {**dict.fromkeys(FILLED, "filled"), TAKE: "taken", ELSEWHERE: "elsewhere", PROPAGATE: "propagated", TRACED: "traced"}


def hands(
    final: MaskArray, patches: Iterable[DraftPatch], log: Sequence[PromptRecord], verbs: Mapping[str, str] = NO_VERBS
) -> npt.NDArray[np.uint8]:
    """Per voxel, which hand first gave it its final value; 0 where no patch did.

    Args:
        final: The mask as it ended, shape (I, J, K).
        patches: In order.
        verbs: What the event log says of patches that are no strokes, by id; see `OpenEdit.verbs`.
        log: Every prompt of the assignment; a patch that holds or takes back a prompt's effect is a prompt's.

    Returns:
        Codes of `HANDS`, shape (I, J, K).
    """
    by_prompt = {record.revision for record in log} | {record.withdrawn for record in log}
    flat = final.ravel(order="F")
    hand = np.zeros(flat.size, dtype=np.uint8)
    for patch in patches:
        code = HANDS["prompt"] if patch.revision in by_prompt else HANDS[_BY_VERB.get(verbs.get(patch.id, ""), "brush")]
        for start, length, value in patch.runs:
            part = hand[start : start + length]
            part[(part == 0) & (flat[start : start + length] == value)] = code
    return hand.reshape(final.shape, order="F")


def provenance_of(edit: OpenEdit, mask: MaskArray, annotation_id: str) -> Provenance:
    """What led to a mask, shape (I, J, K), that is about to be submitted under an id; it may differ from the draft."""
    log, film = edit.log, edit.case.display.over_time
    hand = hands(mask, edit.patches, log, edit.verbs).ravel(order="F")
    final = mask.ravel(order="F")
    changed = np.flatnonzero(final != edit.begun.ravel(order="F"))
    by = np.where(hand[changed] == 0, HANDS["elsewhere"], hand[changed])
    parts = {name: changed[by == code] for name, code in HANDS.items()}
    return Provenance(
        id=new_id("provenance"),
        annotation_id=annotation_id,
        assignment_id=edit.assignment.id,
        prompt_ids=tuple(record.id for record in in_force(log)),
        withdrawn_prompts=sum(record.withdrawn is not None for record in log),
        parts={name: _part(places, final, mask.shape, film=film) for name, places in parts.items() if len(places)},
        created_at=now(),
    )


def provenance(tx: Reader, annotation: Annotation) -> Provenance | None:
    """The stored provenance of an answer; None for tags, imports, and answers from before it was kept."""
    found = tx.find(Provenance, where={"annotation_id": annotation.id}, limit=1)
    return found[0] if found else None


def _part(flat: IntArray, final: MaskArray, shape: tuple[int, ...], *, film: bool) -> Json:
    """Voxels by their place in file order: how many, of which labels, the box around them, and the frames of a film."""
    places = np.unravel_index(flat, shape, order="F")
    values, counts = np.unique(final[flat], return_counts=True)
    part = {
        "voxels": len(flat),
        "labels": {str(value): int(count) for value, count in zip(values.tolist(), counts.tolist(), strict=True)},
        "start": [int(along.min()) for along in places],
        "stop": [int(along.max()) + 1 for along in places],
    }
    return part | {"frames": np.unique(places[TIME]).tolist()} if film else part
