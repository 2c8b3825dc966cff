import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, InputError, LabelError, SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.modelfree.classical import ClassicalEngine, pick_tool
from medloop.interaction.prompts import Box, ExtremePoints, Lasso, Point, Scribble, exact_voxels

from ..made_up import LABELS, images, prompts

TOOLS = ("auto", "walker", "geodesic", "cut", "watershed")


def balls(shape=(60, 50, 1), spacing=(1.0, 1.0, 1.0), affine=None):
    """Two bright balls on a dark ground, a little noisy, and which is where."""
    at = np.stack(np.meshgrid(*[np.arange(n) * mm for n, mm in zip(shape, spacing, strict=True)], indexing="ij"))
    size = np.array([n * mm for n, mm in zip(shape, spacing, strict=True)])
    truth = np.zeros(shape, dtype=np.uint8)
    for label, share in ((1, 0.3), (2, 0.72)):
        centre = (size * share if shape[2] == 1 else size * [share, 0.5, 0.5]).reshape(3, 1, 1, 1)
        centre[2] = 0 if shape[2] == 1 else centre[2]
        truth[np.sqrt(np.square(at - centre).sum(axis=0)) < 0.17 * size[0]] = label
    array = 100 * (truth > 0) + np.random.default_rng(0).normal(0, 8, shape)
    grid = Grid.of_spacing(shape, spacing) if affine is None else Grid(shape, affine)
    return Image(array[np.newaxis].astype(np.float32), grid), truth


def dice(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def centre_of(truth, label):
    return tuple(int(v) for v in np.argwhere(truth == label).mean(axis=0).round())


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("shape", [(60, 50, 1), (1, 60, 50), (30, 26, 24)])
def test_two_clicks_find_a_ball_that_stands_out(tool, shape):
    image, truth = balls(shape if shape[0] > 1 else (60, 50, 1))
    if shape[0] == 1:
        image, truth = Image(image.array.transpose(0, 3, 1, 2), Grid.of_spacing(shape, (1, 1, 1))), truth.transpose(2, 0, 1)
    engine = ClassicalEngine(tool)
    other = np.argwhere(truth == 0)[len(truth) // 2].tolist() if tool == "cut" else centre_of(truth, 2)  # the balls look alike
    asked = [Point(centre_of(truth, 1)), Point(tuple(other), positive=False)]
    refined = engine.refine(engine.embed(image), asked, labels=[1])
    assert dice(refined.mask == 1, truth == 1) > 0.85
    assert np.allclose(refined.probabilities.sum(axis=0), 1, atol=1e-4)


@pytest.mark.parametrize("tool", ["auto", "cut"])
def test_a_box_alone_finds_what_is_in_it(tool):
    image, truth = balls()
    places = np.argwhere(truth == 1)
    box = Box(tuple((places.min(axis=0) - [3, 3, 0]).tolist()), tuple((places.max(axis=0) + np.array([4, 4, 1])).tolist()))
    engine = ClassicalEngine(tool)
    assert dice(engine.refine(engine.embed(image), [box], labels=[1]).mask == 1, truth == 1) > 0.95


def test_extreme_points_are_enough_too():
    image, truth = balls()
    places = np.argwhere(truth == 1)
    ends = tuple(tuple(places[n].tolist()) for a in (0, 1) for n in (places[:, a].argmin(), places[:, a].argmax()))
    engine = ClassicalEngine()
    assert dice(engine.refine(engine.embed(image), [ExtremePoints(ends)], labels=[1]).mask == 1, truth == 1) > 0.9


def test_two_labels_are_found_together():
    image, truth = balls()
    engine = ClassicalEngine()
    asked = [Point(centre_of(truth, 1), label=1), Point(centre_of(truth, 2), label=2)]
    refined = engine.refine(engine.embed(image), asked, labels=[1, 2])
    assert dice(refined.mask == 1, truth == 1) > 0.9
    assert dice(refined.mask == 2, truth == 2) > 0.9


@pytest.mark.parametrize("tool", TOOLS)
def test_flips_and_thick_slices_change_nothing_but_the_frame(tool):
    spacing = (1.0, 1.0, 2.0)
    image, truth = balls((30, 26, 12), spacing)
    flipped = Image(image.array[:, ::-1, :, ::-1], Grid((30, 26, 12), np.diag([-1.0, 1.0, -2.0, 1.0])))
    at = centre_of(truth, 1)
    engine = ClassicalEngine(tool)
    straight = engine.refine(engine.embed(image), [Point(at)], labels=[1]).mask
    turned = engine.refine(engine.embed(flipped), [Point((29 - at[0], at[1], 11 - at[2]))], labels=[1]).mask
    assert dice(straight == 1, truth == 1) > 0.7
    assert dice(turned[::-1, :, ::-1] == 1, straight == 1) > 0.97


@pytest.mark.parametrize("tool", TOOLS)
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), image=images())
def test_any_prompts_are_obeyed_and_only_the_reported_box_changes(tool, data, image):
    shape, engine = image.grid.shape, ClassicalEngine(tool)
    asked = data.draw(st.lists(prompts(shape), min_size=1, max_size=4))
    before = np.random.default_rng(0).choice(np.array([0, 0, 1, 3], dtype=np.uint8), size=shape)
    try:
        refined = engine.refine(engine.embed(image), asked, labels=LABELS, previous=before, locked=(3,))
    except InputError:
        return
    for prompt in asked[-1:]:
        voxels = tuple(exact_voxels(prompt, shape).T)
        positive = getattr(prompt, "positive", True)
        free = (before[voxels] != 3) & (prompt.label != 3)
        assert ((refined.mask[voxels] == prompt.label) == positive)[free].all()
    assert np.array_equal(refined.mask == 3, before == 3)
    outside = np.ones(shape, dtype=bool)
    outside[tuple(slice(a, z) for a, z in zip(refined.start, refined.stop, strict=True))] = False
    assert np.array_equal(refined.mask[outside], before[outside])
    assert np.isfinite(refined.probabilities).all()
    assert np.allclose(refined.probabilities.sum(axis=0), 1, atol=1e-4)


def test_far_from_the_prompts_nothing_changes_and_a_proposal_is_not_wiped():
    image, truth = balls((200, 180, 1))
    truth = truth.copy()
    hole = (slice(58, 62), slice(52, 56), 0)
    proposal = truth.copy()
    proposal[hole] = 0
    engine = ClassicalEngine("watershed")
    refined = engine.refine(engine.embed(image), [Point((60, 54, 0))], labels=[1, 2], previous=proposal)
    assert dice(refined.mask == 1, truth == 1) > 0.97
    assert np.array_equal(refined.mask == 2, truth == 2)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_background_click_takes_away_more_than_it_adds(tool):
    image, truth = balls()
    proposal = (truth > 0).astype(np.uint8)
    engine = ClassicalEngine(tool)
    at = centre_of(truth, 2)
    after = engine.refine(engine.embed(image), [Point(at, positive=False)], labels=[1], previous=proposal).mask
    near = tuple(slice(v - 5, v + 6) for v in at[:2])
    assert (after[near] > 0).sum() < (proposal[near] > 0).sum()


def test_prompts_given_again_to_another_one_make_the_same_mask():
    image, truth = balls()
    told = [Point(centre_of(truth, 1)), Point(centre_of(truth, 2), label=2), Scribble(((0, 0, 0), (1, 0, 0)), positive=False)]

    def mask():
        engine, made = ClassicalEngine(), np.zeros(truth.shape, dtype=np.uint8)
        for n, prompt in enumerate(told):
            made = refine_guarded(engine, engine.embed(image), made, told[:n], [prompt], Guard((1, 2))).mask
        return made

    assert np.array_equal(mask(), mask())


@pytest.mark.parametrize("channels", [np.full((1, 9, 9, 1), 7.0), np.full((2, 9, 9, 1), np.nan), np.zeros((1, 1, 1, 1))])
@pytest.mark.parametrize("tool", TOOLS)
def test_images_without_contrast_are_answered(tool, channels):
    image = Image(channels, Grid.of_spacing(channels.shape[1:], (1, 1, 1)))
    engine = ClassicalEngine(tool)
    assert engine.refine(engine.embed(image), [Point((0, 0, 0))], labels=[1]).mask[0, 0, 0] == 1


@pytest.mark.parametrize(
    ("asked", "tool"),
    [
        ([Box((0, 0, 0), (4, 4, 1))], "cut"),
        ([Lasso(2, 0, ((0, 0), (3, 0), (0, 3)))], "cut"),
        ([Point((0, 0, 0))], "watershed"),
        ([Point((0, 0, 0)), Point((3, 3, 0), positive=False)], "watershed"),
    ],
)
def test_auto_goes_by_number_and_kind_of_prompts(asked, tool):
    assert pick_tool(asked) == tool


def test_no_prompts_leave_the_mask_and_bad_ones_are_refused():
    image, truth = balls()
    engine = ClassicalEngine()
    embedding = engine.embed(image)
    assert np.array_equal(engine.refine(embedding, [], labels=[1, 2], previous=truth).mask, truth)
    with pytest.raises(InputError):
        engine.refine(embedding, [Point((60, 0, 0))], labels=[1])
    with pytest.raises(LabelError):
        engine.refine(embedding, [Point((0, 0, 0), label=3)], labels=[1])
    with pytest.raises(CancelledError):
        engine.refine(embedding, [Point((0, 0, 0))], labels=[1], wanted=lambda: False)
    with pytest.raises(SettingError, match="auto, walker"):
        ClassicalEngine("lasso")


def test_a_click_on_a_structure_wider_than_the_first_window_finds_all_of_it():
    disc = np.hypot(*np.mgrid[:400, :400] - 200)[..., None] < 170
    image = Image(disc[None].astype(np.float32), Grid.flat(400, 400))
    engine = ClassicalEngine()
    found = engine.refine(engine.embed(image), [Point((200, 200, 0))], labels=(1,)).mask == 1
    assert 2 * (found & disc).sum() / (found.sum() + disc.sum()) > 0.97


def test_a_box_on_one_slice_of_a_volume_is_answered_on_that_slice_alone():
    ball = np.sqrt(sum(np.square(np.indices((40, 40, 30)) - np.array([20, 20, 15]).reshape(3, 1, 1, 1)))) < 9
    noisy = ball[None] + np.random.default_rng(0).normal(0, 0.2, (1, 40, 40, 30))
    image = Image(noisy.astype(np.float32), Grid.of_spacing((40, 40, 30), (1.0, 1.0, 2.0)))
    engine = ClassicalEngine()
    found = engine.refine(engine.embed(image), [Box((9, 9, 15), (32, 32, 16))], labels=(1,)).mask == 1
    assert 2 * (found & ball)[:, :, 15].sum() / (found.sum() + ball[:, :, 15].sum()) > 0.9
    assert not np.delete(found, 15, axis=2).any()


@pytest.mark.parametrize("tool", TOOLS)
def test_a_box_that_leaves_no_seed_still_gets_shares_that_sum_to_one(tool):
    image = Image(np.array([[[[3, 1], [4, 1]], [[5, 9], [2, 6]]]], dtype=np.float32), Grid.of_spacing((2, 2, 2), (0.4, 0.4, 0.4)))
    engine = ClassicalEngine(tool)
    refined = engine.refine(engine.embed(image), [Box((0, 0, 0), (2, 2, 2), 1)], labels=(1,))
    assert np.isfinite(refined.probabilities).all()
    assert np.allclose(refined.probabilities.sum(axis=0), 1, atol=1e-5)
