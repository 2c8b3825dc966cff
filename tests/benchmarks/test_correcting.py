"""A simulated expert with a brush: strokes counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from correcting import UNKNOWN, Answered, Clicker, click_and_mend, draw_slices, mend_slices
from medloop.core.errors import InputError, ShapeError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.engine import ImageEmbedding, RefinedMask, changed_box
from medloop.interaction.simulated_users.effort import EffortModel
from medloop.interaction.simulated_users.outlining import noticeable_errors
from medloop.interaction.simulated_users.robots import CentreClicker

EFFORT = EffortModel(click=100, slice_viewed=10, outline=1)
labels = hnp.arrays(np.uint8, (5, 6, 3), elements=st.integers(0, 2))


def square() -> np.ndarray:
    truth = np.zeros((8, 8, 4), dtype=np.uint8)
    truth[2:6, 2:6, 1:3] = 1
    return truth


def test_drawing_costs_every_slice_and_every_outline() -> None:
    drawn = draw_slices(square(), 2, [0, 1, 2, 3], EFFORT)
    assert (drawn.slices, drawn.outlines, drawn.outlined, drawn.seconds) == (
        4,
        2,
        24,
        264,
    )  # 12 of 16 voxels of each square touch the outside
    assert (drawn.mask == square()).all()


def test_slices_nobody_looked_at_stay_unknown() -> None:
    drawn = draw_slices(square(), 2, [1], EFFORT)
    assert (drawn.outlined, drawn.seconds) == (12, 122)
    assert (drawn.mask[..., 1] == square()[..., 1]).all()
    assert (drawn.mask[..., [0, 2, 3]] == UNKNOWN).all()
    assert (drawn.whole == drawn.mask).all()


def test_slices_nobody_looked_at_stay_as_proposed_in_the_whole_answer() -> None:
    proposal = np.zeros((8, 8, 4), dtype=np.uint8)
    mended = mend_slices(proposal, square(), 2, [1], EFFORT)
    assert (mended.whole[..., 1] == square()[..., 1]).all()
    assert not mended.whole[..., [0, 2, 3]].any()
    assert (mended.mask[..., 2] == UNKNOWN).all()


def test_thick_errors_are_mended_and_thin_ones_stay() -> None:
    proposal = square()
    proposal[2:4, 2:5, 1] = 0  # two thick
    proposal[2:6, 2, 2] = 0  # one thick
    mended = mend_slices(proposal, square(), 2, [0, 1, 2, 3], EFFORT)
    assert (mended.mask[..., 1] == square()[..., 1]).all()
    assert (mended.mask[..., 2] == proposal[..., 2]).all()
    assert (mended.outlines, mended.outlined, mended.seconds) == (1, 6, 146)


def test_a_slice_that_is_all_wrong_is_drawn_afresh() -> None:
    proposal = np.zeros((8, 8, 4), dtype=np.uint8)
    proposal[..., 1] = 1  # the outside of the square is wrong: a longer outline than the square's own
    mended = mend_slices(proposal, square(), 2, [1], EFFORT)
    assert (mended.mask[..., 1] == square()[..., 1]).all()
    assert (mended.outlined, mended.seconds) == (12, 122)


def test_a_right_proposal_costs_only_the_look() -> None:
    assert mend_slices(square(), square(), 2, [1, 2], EFFORT).seconds == 20


@given(labels, labels, st.integers(0, 2))
def test_noticeable_errors_are_errors_in_whole_patches(proposal, truth, axis) -> None:
    kept, wrong = noticeable_errors(proposal, truth, axis), proposal != truth
    assert not (kept & ~wrong).any()
    for n in range(truth.shape[axis]):
        patches, count = ndimage.label(np.take(wrong, n, axis), structure=np.ones((3, 3)))
        for patch in range(1, count + 1):
            inside = patches == patch
            thick = any(inside[a : a + 2, b : b + 2].sum() == 4 for a in range(inside.shape[0] - 1) for b in range(inside.shape[1] - 1))
            assert (np.take(kept, n, axis)[inside] == thick).all()


@given(labels, labels, st.lists(st.integers(0, 2), unique=True))
def test_mending_never_adds_errors_and_never_costs_more_than_drawing(proposal, truth, slices) -> None:
    mended = mend_slices(proposal, truth, 2, slices, EFFORT)
    seen = mended.mask != UNKNOWN
    assert seen.sum() == len(slices) * 30
    assert ((mended.mask != truth) & seen).sum() <= ((proposal != truth) & seen).sum()
    assert mended.seconds <= draw_slices(truth, 2, slices, EFFORT).seconds


class Filler:
    """An engine that fills the patch of its truth around each click, or that spoils everything."""

    name = "filler"

    def __init__(self, truth: np.ndarray, *, spoils: bool = False) -> None:
        self.truth, self.spoils, self.asked = truth, spoils, 0

    def embed(self, image: Image) -> ImageEmbedding:
        return ImageEmbedding(image, self.name)

    def refine(self, embedding, prompts, *, labels, previous, locked=(), wanted=lambda: True) -> RefinedMask:  # noqa: ARG002 - the protocol's
        self.asked += 1
        patches, _ = ndimage.label(self.truth != previous, structure=np.ones((3, 3, 3)))
        hit = patches == patches[prompts[-1].voxel]
        mask = np.where(hit, self.truth, previous) if not self.spoils else np.full_like(previous, 1)
        shares = np.stack([mask == 0, mask == 1]).astype(np.float32)
        return RefinedMask(mask, shares, tuple(labels), None, *changed_box(previous, mask))


def clicked(proposal: np.ndarray, engine: Filler, effort: EffortModel) -> Answered:
    image = Image(np.zeros((1, *proposal.shape)), Grid.of_spacing(proposal.shape, (1, 1, 1)))
    rng = np.random.default_rng(0)
    return click_and_mend(
        proposal,
        square(),
        2,
        [0, 1, 2, 3],
        effort,
        Clicker(
            engine=engine,
            embedding=engine.embed(image),
            robot=CentreClicker(),
            labels=[1],
            rng=rng,
        ),
    )


def test_a_click_that_mends_several_slices_saves_their_outlines() -> None:
    proposal = square()
    proposal[2:4, 2:5] = 0
    answer = clicked(proposal, Filler(square()), EffortModel(click=4, slice_viewed=1, outline=1))
    assert (answer.clicks, answer.outlines, answer.seconds) == (1, 0, 4 * 1 + 4 + 1)  # four slices, a click, a second look
    assert (answer.mask == square()).all()


def test_a_click_that_spoils_is_undone_and_paid_for() -> None:
    proposal = square()
    proposal[2:4, 2:5] = 0
    effort = EffortModel(click=4, slice_viewed=1, outline=1)
    by_hand = mend_slices(proposal, square(), 2, [0, 1, 2, 3], effort)
    answer = clicked(proposal, Filler(square(), spoils=True), effort)
    assert (answer.clicks, answer.seconds) == (1, by_hand.seconds + 5)
    assert (answer.mask == by_hand.mask).all()


def test_nobody_clicks_where_the_brush_is_quicker() -> None:
    proposal = square()
    proposal[2:4, 2:4, 1] = 0
    engine = Filler(square())
    answer = clicked(proposal, engine, EffortModel(click=4, slice_viewed=5, outline=1))
    assert (answer.clicks, answer.outlines, engine.asked) == (0, 1, 0)


def test_bad_input_names_its_rule() -> None:
    with pytest.raises(InputError, match=r"within 0\.\.3"):
        draw_slices(square(), 2, [1, 1], EFFORT)
    with pytest.raises(InputError, match=r"within 0\.\.3"):
        draw_slices(square(), 2, [4], EFFORT)
    with pytest.raises(ShapeError, match="one shape"):
        mend_slices(square()[:2], square(), 2, [0], EFFORT)
