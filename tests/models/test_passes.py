"""A network of one's own as samples of a query."""

import numpy as np
import pytest
import torch

from medloop import from_torch
from medloop.core.errors import InputError, SettingError, ShapeError
from medloop.query import query

INPUTS = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))


def _network(dropout: float = 0.5) -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(dropout), torch.nn.Linear(16, 3)
    )


@pytest.mark.parametrize("training", [True, False])
def test_passes_with_dropout_differ_and_leave_the_network_as_it_was(training):
    network = _network().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    samples = from_torch(network, passes=6)(INPUTS)
    assert samples.shape == (6, 12, 3)
    assert np.allclose(samples.sum(axis=2), 1, atol=1e-6)
    assert samples.std(axis=0).max() > 0.01
    assert [m.training for m in network.modules()] == [training] * 6
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert np.array_equal(samples, from_torch(network, passes=6)(INPUTS))
    assert query("bald", proba=samples, n=2).shape == (2,)


def test_the_random_numbers_of_the_caller_go_on_as_if_nothing_had_been():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    from_torch(_network_at(5), passes=3)(INPUTS)
    assert torch.equal(torch.rand(3), wanted)


def _network_at(seed: int) -> torch.nn.Module:
    with torch.random.fork_rng():
        return _network()


def test_an_ensemble_answers_once_each_without_dropout():
    torch.manual_seed(2)
    other = torch.nn.Linear(8, 3)
    samples = from_torch([_network().eval(), other])(INPUTS)
    assert samples.shape == (2, 12, 3)
    assert np.allclose(samples[1], other(INPUTS).detach().softmax(dim=1).numpy(), atol=1e-6)


def test_what_gives_no_samples_is_refused():
    with pytest.raises(InputError, match="without dropout"):
        from_torch(_network(0.0))
    with pytest.raises(SettingError, match="passes"):
        from_torch(_network(), passes=1)
    with pytest.raises(ShapeError, match="logits"):
        from_torch(torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Unflatten(1, (2, 4))), passes=2)(INPUTS)
