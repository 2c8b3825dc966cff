import numpy as np
import pytest

from medloop.core.settings import UncertaintySource
from medloop.models.inference.uncertainty import Ensemble, EverySource, FlipAugmentation, McDropout, Pass, mirror_images, sampler_of


def rng():
    return np.random.default_rng(0)


def test_dropout_draws_a_new_seed_each_time():
    passes = McDropout().passes(5, rng())
    assert len({p.dropout_seed for p in passes}) == 5
    assert passes == McDropout().passes(5, rng())


def test_an_ensemble_asks_every_member_once():
    assert Ensemble(3).passes(99, rng()) == (Pass(0), Pass(1), Pass(2))


def test_flips_start_with_the_image_as_it_is():
    assert FlipAugmentation((0, 1)).passes(3, rng()) == (Pass(), Pass(flips=(0,)), Pass(flips=(1,)))


def test_mirror_images_are_all_subsets():
    assert mirror_images((0, 2)) == [(), (0,), (2,), (0, 2)]


def test_every_source_takes_full_networks_first():
    passes = EverySource(2, (0,)).passes(6, rng())
    assert passes[:4] == (Pass(0), Pass(1), Pass(0, (0,)), Pass(1, (0,)))
    assert [p.dropout_seed is None for p in passes] == [True] * 4 + [False] * 2


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_every_source_asks_each_member_at_least_once(samples):
    passes = EverySource(3, ()).passes(samples, rng())
    assert {p.member for p in passes} == {0, 1, 2}


@pytest.mark.parametrize(
    ("source", "members", "flips", "dropped"),
    [
        ("all", {0, 1}, 4, True),
        ("softmax", {0}, 1, False),
        ("dropout", {0}, 1, True),
        ("flips", {0}, 4, False),
        ("ensemble", {0, 1}, 1, False),
    ],
)
def test_each_source_differs_in_what_it_is_named_for(source: UncertaintySource, members: set[int], flips: int, *, dropped: bool) -> None:
    passes = sampler_of(source, members=2, axes=(0, 1)).passes(12, rng())
    assert {one.member for one in passes} == members
    assert len({one.flips for one in passes}) == flips
    assert any(one.dropout_seed is not None for one in passes) is dropped
