import numpy as np
import pytest
import torch

from medloop.core.errors import CancelledError
from medloop.interaction.interactive_network.adaptation import Adaptation, adapted_output, prompt_pull
from medloop.interaction.interactive_network.guidance import Window
from medloop.models.foundation.networks import build_network

from ..conftest import guided_recipe

SIZE = (32, 32)
WINDOW = Window((0, 0, 0), (*SIZE, 1), (1.0, 1.0, 1.0))
PLACES = {0: np.array([[20, 20, 0]]), 1: np.array([[8, 8, 0]]), 2: np.zeros((0, 3), dtype=np.int64)}


def network_and_inputs(seed=3):
    recipe = guided_recipe()
    network = build_network(recipe, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed)
    return network, torch.randn(1, recipe.inputs, *SIZE, generator=generator)


def test_a_hint_pulls_its_voxel_wholly_and_far_ones_not():
    strength, label = prompt_pull(PLACES, WINDOW, reach=1.5)
    assert strength[8, 8, 0] == strength[20, 20, 0] == 1
    assert (label[8, 8, 0], label[20, 20, 0]) == (1, 0)
    assert strength[8, 11, 0].item() == pytest.approx(np.exp(-0.5 * 4))
    assert strength[31, 0, 0] < 1e-6


def test_the_projects_weights_stay_what_they_are():
    network, inputs = network_and_inputs()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    adapted_output(network, inputs, prompt_pull(PLACES, WINDOW, reach=1.5), Adaptation(rate=1e-2))
    assert all(torch.equal(before[name], weight) for name, weight in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())


def test_every_answer_starts_from_the_projects_weights_again():
    network, inputs = network_and_inputs()
    pull = prompt_pull(PLACES, WINDOW, reach=1.5)
    first, second = (adapted_output(network, inputs, pull, Adaptation(rate=1e-2)) for _ in range(2))
    assert torch.equal(first, second)


def test_the_answer_moves_towards_the_hints_and_is_a_probability():
    network, inputs = network_and_inputs()
    with torch.no_grad():
        own = network(inputs).softmax(1)
    bent = adapted_output(network, inputs, prompt_pull(PLACES, WINDOW, reach=1.5), Adaptation(steps=8, rate=3e-3))
    assert bent[0, 1, 8, 8] > own[0, 1, 8, 8]
    assert bent[0, 0, 20, 20] > own[0, 0, 20, 20]
    assert torch.allclose(bent.sum(1), torch.ones(1, *SIZE), atol=1e-5)


def test_no_steps_leave_the_networks_own_answer():
    network, inputs = network_and_inputs()
    with torch.no_grad():
        own = network(inputs).softmax(1)
    same = adapted_output(network, inputs, prompt_pull(PLACES, WINDOW, reach=1.5), Adaptation(steps=0))
    assert torch.allclose(own, same, atol=1e-6)


def test_a_newer_prompt_ends_it():
    network, inputs = network_and_inputs()
    asked = []
    pull = prompt_pull(PLACES, WINDOW, reach=1.5)
    with pytest.raises(CancelledError):
        adapted_output(network, inputs, pull, Adaptation(steps=9), wanted=lambda: len(asked) < 3 and not asked.append(1))
    assert len(asked) == 3
