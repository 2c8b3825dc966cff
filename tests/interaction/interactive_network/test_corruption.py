import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.interaction.interactive_network.corruption import corrupt


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([(12, 12, 12), (16, 16, 1)]))
def test_a_spoilt_mask_has_no_new_label_and_its_seed_replays_it(seed, shape):
    mask = np.zeros(shape, dtype=np.uint8)
    mask[4:9, 4:9] = 3
    spoilt = corrupt(mask, np.random.default_rng(seed))
    assert spoilt.shape == shape
    assert set(np.unique(spoilt)) <= {0, 3}
    assert (spoilt == corrupt(mask, np.random.default_rng(seed))).all()


def test_most_masks_come_out_wrong_but_recognisable():
    mask = np.zeros((20, 20, 20), dtype=np.uint8)
    mask[6:14, 6:14, 6:14] = 1
    spoilt = [corrupt(mask, np.random.default_rng(seed)) for seed in range(20)]
    dice = [2 * (mask & s).sum() / (mask.sum() + s.sum()) for s in spoilt]
    assert 0.5 < np.median(dice) < 0.95


def test_nothing_cannot_be_spoilt():
    assert not corrupt(np.zeros((6, 6, 6), dtype=np.uint8), np.random.default_rng(0)).any()
