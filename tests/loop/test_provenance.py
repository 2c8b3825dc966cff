"""Which edit gave a voxel the value that it ended with."""

import numpy as np

from medloop.core.records import DraftPatch, PromptRecord
from medloop.loop.annotating.open_edit import ELSEWHERE, TAKE
from medloop.loop.annotating.provenance import HANDS, hands

AT = "2026-01-01T00:00:00.000000+00:00"
Runs = tuple[tuple[int, int, int], ...]


def patch(revision: int, runs: Runs) -> DraftPatch:
    return DraftPatch(id=f"patch-{revision}", assignment_id="a", revision=revision, runs=runs, created_at=AT)


def prompt(revision: int) -> PromptRecord:
    return PromptRecord(id=f"prompt-{revision}", assignment_id="a", revision=revision, prompt={}, engine="e", created_at=AT)


def test_a_voxel_belongs_to_the_first_edit_that_gave_it_its_final_value() -> None:
    final = np.zeros((4, 1, 1), np.uint8)
    final[:3] = 2
    patches = [patch(1, ((0, 1, 2),)), patch(2, ((0, 2, 2),)), patch(3, ((1, 2, 1),)), patch(4, ((1, 2, 2), (3, 1, 0)))]
    by = hands(final, patches, [prompt(2)]).ravel()
    assert by.tolist() == [HANDS["brush"], HANDS["prompt"], HANDS["brush"], HANDS["brush"]]


def test_what_was_filled_in_taken_from_a_model_or_drawn_by_another_program_is_no_stroke_of_the_brush() -> None:
    patches = [patch(n, ((n - 1, 1, 1),)) for n in range(1, 6)]
    verbs = {"patch-1": "fill-k", "patch-2": TAKE, "patch-3": ELSEWHERE, "patch-4": "edit"}
    by = hands(np.ones((5, 1, 1), np.uint8), patches, [prompt(5)], verbs).ravel()
    assert by.tolist() == [HANDS[name] for name in ("filled", "taken", "elsewhere", "brush", "prompt")]
