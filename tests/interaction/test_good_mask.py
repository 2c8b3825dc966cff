"""A good mask and one correct click: no engine may make it worse, whatever is wrong with it and wherever the click lies."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.seeds import generator
from medloop.images.phantoms import phantom_2d, phantom_3d
from medloop.interaction.guard import Guard
from medloop.interaction.guarded import refine_guarded
from medloop.interaction.modelfree.classical import ClassicalEngine
from medloop.interaction.nninteractive.sent_prompts import AxisOrder
from medloop.interaction.nninteractive.session import Service
from medloop.interaction.nninteractive.session import Session as Front
from medloop.interaction.prompts import ExtremePoints, Point, Scribble

from .engines import answered

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from spoiling import KINDS, WHERE, spoil

ENGINE = ClassicalEngine()


def dice(found, truth):
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def noisy(values, spread=15.0, seed=0, spacing=(1.0, 1.0, 1.0)):
    array = values + np.random.default_rng(seed).normal(0, spread, values.shape)
    return Image(array[np.newaxis].astype(np.float32), Grid.of_spacing(values.shape, spacing))


def disc(at=(64, 64), radius=30, shape=(128, 128)):
    return (np.hypot(*(np.mgrid[: shape[0], : shape[1]] - np.array(at).reshape(2, 1, 1))) < radius)[..., np.newaxis]


def corrected(image, mask, *prompts, labels=(1,)):
    return ENGINE.refine(ENGINE.embed(image), prompts, labels=labels, previous=mask.astype(np.uint8)).mask


class UnsureEngine:
    """Knows the truth but for a ragged border and false islands: a network of Dice 0.8."""

    name = "unsure"

    def __init__(self, truth, seed):
        rng = np.random.default_rng(seed)
        wild = ndimage.gaussian_filter(rng.normal(size=truth.shape), [2 if n > 1 else 0 for n in truth.shape])
        self.mask = np.where(
            ndimage.gaussian_filter((truth == 1).astype(float), 2) + 0.6 * wild / wild.std() > 0.5, np.uint8(1), np.uint8(0)
        )

    def refine(self, embedding, prompts, *, labels, previous=None, locked=(), wanted=lambda: True):  # noqa: ARG002 - says what it says
        return answered(self.mask, previous, labels)


def trials(engine_of, cases, phantom, start=0, step=1):
    for n in range(start, start + cases, step):
        made = phantom(n)
        image, truth = made.image, np.where(made.mask.array == 1, np.uint8(1), np.uint8(0))
        if not truth.any():
            continue
        for kind in KINDS:
            spoilt = spoil(truth, image.grid, kind, generator(n, kind), where=WHERE[n % 3])
            if spoilt is not None:
                yield kind, image, truth, spoilt, engine_of(truth, n)


PHANTOMS = [lambda n: phantom_2d(n, 3, (128, 128)), lambda n: phantom_3d(n, 3, (48, 48, 32))]


@pytest.mark.parametrize("phantom", PHANTOMS, ids=["picture", "volume"])
def test_one_correct_click_with_the_classical_engine_does_not_make_a_good_mask_worse(phantom):
    gains = []
    for kind, image, truth, spoilt, engine in trials(lambda *_: ENGINE, 14, phantom):
        after = engine.refine(engine.embed(image), [spoilt.click], labels=(1,), previous=spoilt.mask).mask
        if kind == "nothing":
            assert np.array_equal(after, spoilt.mask)
        gains.append((kind, dice(after == 1, truth == 1) - dice(spoilt.mask == 1, truth == 1)))
    for kind in KINDS:
        assert np.mean([gain for k, gain in gains if k == kind] or [0.0]) >= 0, kind
    assert np.mean([gain >= 0 for _, gain in gains]) >= 0.95


def fair(gains):
    """Mean Dice does not fall, and at least 95 % of trials do not."""
    return np.mean(gains) > 0 and np.mean([gain >= -1e-6 for gain in gains]) >= 0.95


def kept_from(engine, truth, spoilt, image, *, server):
    """The mask after one click, through the guard alone or through a front end of nnInteractive."""
    engine.embed = ENGINE.embed
    if not server:
        return refine_guarded(engine, engine.embed(image), spoilt.mask, [], [spoilt.click], Guard((1,))).mask
    front = Front(Service(engine, order=AxisOrder(slowest_first=False)))
    front.set_image(image.array, image.grid.spacing_mm)
    front.set_target(truth.shape, np.dtype("uint8"))
    front.start_from(spoilt.mask, run=False)
    shown = spoilt.mask.copy()
    made = front.add([spoilt.click], run=True)
    if made.bounds is not None:
        shown[tuple(slice(a, b) for a, b in made.bounds)] = made.values
    return shown


@pytest.mark.parametrize("server", [False, True], ids=["guard", "server"])
@pytest.mark.parametrize(("phantom", "step"), list(zip(PHANTOMS, (1, 3), strict=True)), ids=["picture", "volume"])
def test_a_wrong_network_cannot_ruin_a_true_mask(phantom, step, server):
    """On phantoms that nothing was tuned on."""
    gains = []
    for _, image, truth, spoilt, engine in trials(UnsureEngine, 30, phantom, start=20, step=3 * step if server else step):
        after = kept_from(engine, truth, spoilt, image, server=server)
        gains.append(dice(after == 1, truth == 1) - dice(spoilt.mask == 1, truth == 1))
    assert fair(gains)


def test_a_bite_is_filled_by_a_click_in_it():
    truth = disc()
    image, bite = noisy(100.0 * truth), truth & disc((94, 64), 12)
    after = corrected(image, truth & ~bite, Point((88, 64, 0)))
    assert dice(after == 1, truth) > 0.995


def test_a_missing_nucleus_is_found_and_the_others_stay():
    others = disc((30, 30), 10) | disc((30, 90), 12) | disc((95, 25), 8)
    truth = others | disc((80, 85), 11)
    after = corrected(noisy(80.0 * truth), others, Point((80, 85, 0)))
    assert dice(after == 1, truth) > 0.98
    assert (after[others] == 1).all()


def thorax():
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n) for n in (80, 64, 20)], indexing="ij")
    values = np.where((x / 0.95) ** 2 + (y / 0.85) ** 2 < 1, 40.0, -1000.0)
    left, right = (((x - s * 0.45) / 0.32) ** 2 + (y / 0.6) ** 2 < 1 for s in (-1, 1))
    values[left | right] = -850
    return values, left, right, (x, y, z)


def test_a_click_into_the_second_lung_finds_the_lung():
    values, left, right, _ = thorax()
    after = corrected(noisy(values, 25, spacing=(4.0, 4.0, 10.0)), left, Point((58, 32, 10)))
    assert dice(after == 1, left | right) > 0.95


def ball_at(at, centre, radius):
    return sum(((a - c) * s) ** 2 for a, c, s in zip(at, centre, (40, 32, 25), strict=True)) < radius**2


def test_extreme_points_on_a_tumour_do_not_label_the_air_around_it():
    values, _, _, at = thorax()
    tumour = ball_at(at, (0.45, 0, 0), 7)
    values[tumour] = 40
    places = np.argwhere(tumour)
    ends = tuple(tuple(int(v) for v in places[find(places[:, axis])]) for axis in range(3) for find in (np.argmin, np.argmax))
    image = noisy(ndimage.gaussian_filter(values, 0.7), 25, spacing=(4.0, 4.0, 10.0))
    found = corrected(image, np.zeros(values.shape), ExtremePoints(ends)) == 1
    assert dice(found, tumour) > 0.85
    assert (found & ~ndimage.binary_dilation(tumour)).sum() < 0.1 * tumour.sum()


def test_a_stroke_inside_a_tumour_does_not_flood_the_mediastinum():
    values, _, _, at = thorax()
    tumour = ball_at(at, (0.16, 0, 0), 7)
    values[tumour] = 45  # as the mediastinum it grows out of
    image = noisy(ndimage.gaussian_filter(values, 0.7), 25, spacing=(4.0, 4.0, 10.0))
    centre = np.argwhere(tumour).mean(axis=0).round().astype(int)
    stroke = Scribble(tuple((int(centre[0]) + d, int(centre[1]), int(centre[2])) for d in range(-3, 4)))
    found = corrected(image, np.zeros(values.shape), stroke) == 1
    assert found.sum() < 4 * tumour.sum()


def test_a_gap_in_a_thin_vessel_is_closed_and_nothing_else_is_labelled():
    vessel = np.zeros((120, 120, 1), dtype=bool)
    for t in np.linspace(0, 1, 800):
        i, j = int(10 + 100 * t), int(60 + 30 * np.sin(5 * t))
        vessel[i - 1 : i + 2, j - 1 : j + 2] = True
    torn = vessel.copy()
    torn[50:62] = False
    middle = np.argwhere(vessel[56])[1]
    after = corrected(noisy(80.0 * vessel), torn, Point((56, int(middle[0]), 0)))
    assert dice(after == 1, vessel) > 0.97


def test_a_missing_slice_between_two_thick_ones_comes_back():
    truth = np.repeat(disc(radius=20, shape=(128, 128)), 5, axis=2)
    torn = truth.copy()
    torn[:, :, 2] = False
    after = corrected(noisy(100.0 * truth, spacing=(1.0, 1.0, 8.0)), torn, Point((64, 64, 2)))
    assert dice(after == 1, truth) > 0.97


@pytest.mark.parametrize("at", [(64, 64, 0), (94, 64, 0), (93, 64, 0)])
def test_a_click_that_says_what_the_mask_says_changes_nothing(at):
    truth = disc()
    inside = bool(truth[at])
    assert np.array_equal(corrected(noisy(100.0 * truth), truth, Point(at, positive=inside)), truth)


def test_other_labels_stay_when_one_is_corrected():
    inner, outer = disc(radius=15), disc(radius=30) & ~disc(radius=15)
    truth = inner + np.uint8(2) * outer
    torn = np.where(disc((90, 64), 9) & outer, np.uint8(0), truth)
    after = ENGINE.refine(
        ENGINE.embed(noisy(100.0 * inner + 50.0 * outer)), [Point((90, 64, 0), label=2)], labels=(1, 2), previous=torn
    ).mask
    assert np.array_equal(after == 1, inner)
    assert dice(after == 2, outer) >= dice(torn == 2, outer)


def test_five_correct_clicks_in_a_row_raise_a_good_proposal():
    rng, scores = np.random.default_rng(0), []
    for n in range(4):
        made = phantom_2d(n, 3, (128, 128))
        truth = made.mask.array == 1
        if not truth.any():
            continue
        wave = ndimage.gaussian_filter(rng.normal(size=truth.shape[:2]), 4)[..., None]
        mask = (ndimage.gaussian_filter(truth.astype(float), [1, 1, 0]) + 0.25 * wave / wave.std() > 0.5).astype(np.uint8)
        row = [dice(mask == 1, truth)]
        for _ in range(5):
            wrong = (mask == 1) != truth
            depth = ndimage.distance_transform_edt(wrong)
            voxel = tuple(int(v) for v in np.unravel_index(depth.argmax(), depth.shape))
            mask = corrected(made.image, mask, Point(voxel, positive=bool(truth[voxel])))
            row.append(dice(mask == 1, truth))
        scores.append(row)
    means = np.mean(scores, axis=0)
    assert (np.diff(means) >= -1e-3).all()
    assert means[-1] > means[0] + 0.005
