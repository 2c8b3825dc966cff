"""A person who corrects slices by the cheapest interaction: seconds counted by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from medloop.core.errors import InputError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding, RefinedMask, changed_box
from medloop.interaction.simulated_users.cheapest import Prompting, Worked, work_through, work_where_needed
from medloop.interaction.simulated_users.effort import EFFORT_MODELS, EffortModel
from medloop.interaction.simulated_users.outlining import noticeable_errors
from medloop.interaction.simulated_users.tally import Tally

EFFORT = EffortModel(click=4, scribble=6, slice_viewed=1, outline=1)
labels = hnp.arrays(np.uint8, (6, 7, 4), elements=st.integers(0, 2))


def square() -> np.ndarray:
    truth = np.zeros((20, 20, 4), dtype=np.uint8)
    truth[4:16, 4:16, 1:3] = 1
    return truth


def seconds(worked: Worked) -> list[float]:
    return [(visit.tally + visit.undone).seconds(EFFORT) for visit in worked.visits]


def test_a_good_slice_costs_only_its_viewing() -> None:
    proposal = square()
    proposal[4, 4:16, 1] = 0  # one voxel thin: nobody notices
    worked = work_through(proposal, square(), 2, [0, 1, 2], EFFORT)
    assert [visit.way for visit in worked.visits] == ["accept"] * 3
    assert seconds(worked) == [1, 1, 1]
    assert (worked.mask == proposal).all()


def test_only_queried_slices_are_viewed_and_changed() -> None:
    worked = work_through(np.zeros_like(square()), square(), 2, [1], EFFORT)
    assert [visit.index for visit in worked.visits] == [1]
    assert worked.mask[..., 1].any()
    assert not worked.mask[..., [0, 2, 3]].any()


def test_a_slice_that_is_cheaper_redrawn_than_brushed_is_redrawn() -> None:
    proposal = np.zeros_like(square())
    proposal[:, :, 1] = 1  # all but the square is wrong
    proposal[4:16, 4:16, 1] = 0  # and the square itself
    worked = work_through(proposal, square(), 2, [1], EFFORT)
    assert worked.visits[0].way == "redraw"
    assert seconds(worked) == [1 + 4 + 44]  # view, aim, the boundary of 12 by 12
    assert (worked.mask == square())[..., 1].all()


def test_an_outline_beside_the_right_one_is_pushed_along_the_new_one() -> None:
    proposal = square()
    proposal[4:7, 4:16, 1] = 0  # three thick along one side
    worked = work_through(proposal, square(), 2, [1], EFFORT)
    assert worked.visits[0].way == "push"
    assert seconds(worked) == [1 + 4 + 12 + 2 * 2]  # along 12, and the two sides
    assert (worked.mask == square())[..., 1].all()


def test_what_touches_nothing_right_cannot_be_pushed() -> None:
    truth, proposal = square(), square()
    truth[1:3, 1:3, 1] = 1  # an object of its own
    worked = work_through(proposal, truth, 2, [1], EFFORT)
    assert worked.visits[0].way == "brush"
    assert seconds(worked) == [1 + 4 + 4]


def test_a_patch_thicker_than_what_is_right_beside_it_cannot_be_pushed() -> None:
    proposal = square()
    proposal[5:16, 4:16, 1] = 0  # a single row is left
    assert work_through(proposal, square(), 2, [1], EFFORT).visits[0].way != "push"


def test_a_slice_without_structure_is_cleared_by_one_click() -> None:
    proposal = square()
    proposal[..., 0] = proposal[..., 1]
    worked = work_through(proposal, square(), 2, [0], EFFORT)
    assert (worked.visits[0].way, seconds(worked)) == ("redraw", [1 + 4])
    assert not worked.mask[..., 0].any()


@settings(max_examples=60, deadline=None)
@given(labels, labels, st.permutations(range(4)), st.sampled_from(sorted(EFFORT_MODELS)))
def test_what_is_left_is_within_tolerance_and_never_dearer_than_redrawing(proposal, truth, order, name) -> None:
    effort = EFFORT_MODELS[name]
    worked, drawn = work_through(proposal, truth, 2, order, effort), work_through(np.zeros_like(truth), truth, 2, order, effort)
    assert not noticeable_errors(worked.mask, truth, 2).any()
    assert (worked.mask != truth).sum() <= (proposal != truth).sum()
    for own, from_nothing in zip(worked.visits, drawn.visits, strict=True):
        outlines = [ndimage.label(truth[..., own.index] == value, structure=np.ones((3, 3)))[1] for value in (1, 2)]
        redrawn = effort.slice_viewed + effort.click * max(1, sum(outlines)) + effort.outline * truth[..., own.index].astype(bool).sum()
        assert own.tally.seconds(effort) <= redrawn + 1e-9
        assert from_nothing.tally.seconds(effort) <= redrawn + 1e-9
    assert not any(visit.undone.aims for visit in worked.visits)


class Filler:
    """An engine that fills the patch of its truth around each hint, or changes nothing but the hint."""

    name = "filler"

    def __init__(self, truth: np.ndarray, *, helps: bool = True) -> None:
        self.truth, self.helps, self.asked = truth, helps, 0

    def embed(self, image: Image) -> ImageEmbedding:
        return ImageEmbedding(image, self.name)

    def refine(self, embedding, prompts, *, labels, previous, locked=(), wanted=lambda: True) -> RefinedMask:  # noqa: ARG002 - the protocol's
        self.asked += 1
        patches, _ = ndimage.label(self.truth != previous, structure=np.ones((3, 3, 3)))
        at = prompts[-1].voxel if hasattr(prompts[-1], "voxel") else prompts[-1].voxels[0]
        mask = np.where(patches == patches[at], self.truth, previous) if self.helps else previous.copy()
        shares = np.stack([mask == 0, mask == 1]).astype(np.float32)
        return RefinedMask(mask, shares, tuple(labels), None, *changed_box(previous, mask))


def prompted(proposal: np.ndarray, engine: Filler, slices: list[int]) -> Worked:
    image = Image(np.where(square()[np.newaxis] > 0, 1.0, 0.0).astype(np.float32), Grid.of_spacing(proposal.shape, (1, 1, 1)))
    own = Prompting(engine, engine.embed(image), (1,), np.random.default_rng(0))
    return work_through(proposal, square(), 2, slices, EFFORT, own)


def test_a_click_that_is_enough_takes_the_place_of_the_brush() -> None:
    proposal = square()
    proposal[4:9, 4:16, 1] = 0
    worked = prompted(proposal, Filler(square()), [1])
    assert (worked.visits[0].way, worked.tally) == ("prompt", Tally(viewed=2, aims=1))
    assert worked.visits[0].saved > 0


def test_prompts_that_do_not_help_are_undone_paid_for_and_given_up() -> None:
    proposal = square()
    proposal[4:9, 4:16, 1:3] = 0
    engine = Filler(square(), helps=False)
    worked, by_hand = prompted(proposal, engine, [1, 2]), work_through(proposal, square(), 2, [1, 2], EFFORT)
    assert engine.asked == 2  # a click and a stroke on the first slice, then none
    assert (worked.mask == by_hand.mask).all()
    assert worked.visits[0].undone == Tally(viewed=2, aims=1, scribbles=1)
    assert worked.visits[1] == by_hand.visits[1]
    assert worked.visits[0].tally == by_hand.visits[0].tally


def test_a_finished_slice_is_not_changed_by_a_click_on_the_next() -> None:
    proposal = square()
    proposal[4:9, 4:16, 1:3] = 0
    first = work_through(proposal, square(), 2, [1], EFFORT).mask
    both = prompted(proposal, Filler(np.zeros_like(square())), [1, 2])
    assert (both.mask[..., 1] == first[..., 1]).all()


def test_slices_between_are_viewed_only_beside_corrected_ones() -> None:
    truth = np.zeros((20, 20, 17), dtype=np.uint8)
    truth[4:16, 4:16] = 1
    proposal = truth.copy()
    proposal[4:9, :, :4] = 0
    worked = work_where_needed(proposal, truth, 2, 4, EFFORT)
    assert [visit.index for visit in worked.visits] == [2, 6, 10, 14, 4]
    assert [visit.way for visit in worked.visits] == ["push", *["accept"] * 4]


def test_bad_input_names_its_rule() -> None:
    with pytest.raises(InputError, match=r"within 0\.\.3"):
        work_through(square(), square(), 2, [1, 1], EFFORT)
    with pytest.raises(ShapeError, match="one shape"):
        work_through(square()[:4], square(), 2, [1], EFFORT)
    with pytest.raises(InputError, match="got voxels that nobody knows"):
        work_through(square(), np.full_like(square(), 255), 2, [1], EFFORT)
    with pytest.raises(InputError, match="got 0"):
        work_where_needed(square(), square(), 2, 0, EFFORT)


def test_the_models_of_effort_stand_around_the_stated_one() -> None:
    kind, stated, harsh = (EFFORT_MODELS[name] for name in ("kind", "stated", "harsh"))
    assert stated == EffortModel()
    assert kind.outline > stated.outline > harsh.outline
    assert all(getattr(kind, n) < getattr(stated, n) < getattr(harsh, n) for n in ("click", "scribble", "box", "slice_viewed"))


def test_a_tally_is_kept_as_plain_numbers() -> None:
    tally = Tally(1, 2, 3, 4) + Tally(viewed=1)
    assert Tally.from_json(tally.to_json()) == tally
    assert tally.seconds(EFFORT) == 2 * 1 + 2 * 4 + 3 * 6 + 4 * 1
