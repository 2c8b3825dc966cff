"""Which layers of other weights a network takes, and that the report says what became of each."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medloop.core.errors import InputError
from medloop.models.foundation.networks import build_network
from medloop.models.foundation.recipes import Recipe
from medloop.models.foundation.transfer import Transfer, _common, transfer


def weights_of(recipe: Recipe, seed: int = 1) -> dict[str, Tensor]:
    return dict(build_network(recipe, seed=seed).state_dict())


def how(found: Transfer, name: str) -> str:
    return next(line.how for line in found.lines if line.name == name)


def test_another_network_of_the_recipe_gives_all_but_the_head(recipe_3d: Recipe) -> None:
    fresh, offered = weights_of(recipe_3d, 1), weights_of(recipe_3d, 2)
    found = transfer(fresh, offered)
    for line in found.lines:
        own = line.name.startswith("head.")
        assert line.how == ("new" if own else "as it is")
        assert torch.equal(found.weights[line.name], (fresh if own else offered)[line.name])
    assert found.share == 1.0
    assert set(found.unused) == {name for name in offered if name.startswith("head.")}
    assert found.words == f"{len(fresh) - 2} of {len(fresh)} tensors taken, 100% of the numbers; the rest is new"


def test_names_with_numbers_that_no_int_reads_are_only_names(recipe_2d: Recipe) -> None:
    fresh, offered = weights_of(recipe_2d, 1), weights_of(recipe_2d, 2)
    odd = {f"{number}.x": torch.zeros(3) for number in ("²", "9" * 5000, "٣")}
    found = transfer(fresh, {f"encoder.{'9' * 5000}.{name}": value for name, value in offered.items()} | odd)
    assert set(odd) <= set(found.unused)


def test_a_head_of_other_labels_is_new_and_the_report_says_why(recipe_2d: Recipe) -> None:
    found = transfer(weights_of(recipe_2d), weights_of(dataclasses.replace(recipe_2d, classes=7)))
    assert {line.why for line in found.lines if line.name.startswith("head.")} == {"it belongs to the labels"}
    assert found.weights["head.conv.conv.bias"].shape == (3,)


def test_what_training_programs_put_before_names_does_not_matter(recipe_2d: Recipe) -> None:
    offered = {f"module.model.{name}": tensor for name, tensor in weights_of(recipe_2d, 2).items()}
    found = transfer(weights_of(recipe_2d, 1), offered)
    assert found.share == 1.0
    assert found.lines[0].source == f"module.model.{found.lines[0].name}"


def test_an_encoder_alone_leaves_the_decoder_as_it_was_initialised(recipe_3d: Recipe) -> None:
    fresh = weights_of(recipe_3d)
    offered = {n.removeprefix("encoder."): t for n, t in weights_of(recipe_3d, 2).items() if n.startswith("encoder.")}
    found = transfer(fresh, offered)
    assert all(line.how == "as it is" for line in found.lines if line.name.startswith("encoder."))
    assert all(torch.equal(found.weights[n], fresh[n]) for n in fresh if not n.startswith("encoder."))


def test_prompts_of_an_interactive_network_stay_new_beside_the_image(recipe_3d: Recipe) -> None:
    guided = dataclasses.replace(recipe_3d, guided=True)
    fresh, offered = weights_of(guided, 1), weights_of(recipe_3d, 2)
    found = transfer(fresh, offered)
    name = "encoder.levels.0.conv1.conv.weight"
    assert how(found, name) == "first channels"
    assert torch.equal(found.weights[name][:, :1], offered[name])
    assert torch.equal(found.weights[name][:, 1:], fresh[name][:, 1:])


def test_a_layer_of_another_width_stays_new_and_the_report_names_its_shape(recipe_3d: Recipe) -> None:
    wide = dataclasses.replace(recipe_3d, features=(*recipe_3d.features[:-1], 2 * recipe_3d.features[-1]))
    found = transfer(weights_of(recipe_3d), weights_of(wide, 2))
    (line,) = [one for one in found.lines if one.name == f"encoder.levels.{len(wide.features) - 1}.conv2.conv.weight"]
    assert (line.how, line.source) == ("new", "")
    assert line.why == f"{line.name} has the shape {(wide.features[-1], wide.features[-1], 3, 3, 3)}"
    assert 0 < found.share < 1


class Timm(nn.Module):
    """An encoder with names as others give them, of which some convolutions fit."""

    def __init__(self, widths: tuple[int, ...], channels: int = 3) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, widths[0], 3, bias=False), nn.BatchNorm2d(widths[0])
        self.layer1 = nn.ModuleList(nn.Conv2d(a, b, 3, bias=False) for a, b in pairwise(widths))
        self.fc = nn.Linear(widths[-1], 1000)


def test_names_of_others_are_paired_in_order_by_shape_and_colours_are_summed_for_grey(recipe_2d: Recipe) -> None:
    widths = (recipe_2d.features[0], recipe_2d.features[0], recipe_2d.features[1])
    offered = dict(Timm(widths).state_dict())
    found = transfer(weights_of(recipe_2d), offered)
    assert how(found, "encoder.levels.0.conv1.conv.weight") == "summed"
    first = offered["conv1.weight"]
    assert torch.equal(found.weights["encoder.levels.0.conv1.conv.weight"], first.sum(dim=1, keepdim=True))
    assert torch.equal(found.weights["encoder.levels.0.conv2.conv.weight"], offered["layer1.0.weight"])
    assert torch.equal(found.weights["encoder.levels.1.conv1.conv.weight"], offered["layer1.1.weight"])
    assert how(found, "encoder.levels.0.norm1.weight") == "new"
    assert {"bn1.weight", "fc.weight"} <= set(found.unused)


def test_a_grey_image_gives_what_the_same_image_in_three_colours_gave(recipe_2d: Recipe) -> None:
    offered = dict(Timm((recipe_2d.features[0],)).state_dict())
    found = transfer(weights_of(recipe_2d), offered)
    grey = torch.randn(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    ours = nn.functional.conv2d(grey, found.weights["encoder.levels.0.conv1.conv.weight"])
    theirs = nn.functional.conv2d(grey.expand(-1, 3, -1, -1), offered["conv1.weight"])
    torch.testing.assert_close(ours, theirs)


def test_2d_weights_become_3d_ones_only_when_asked_and_answer_alike_on_equal_slices(recipe_3d: Recipe) -> None:
    offered = dict(Timm((recipe_3d.features[0],), channels=1).state_dict())
    fresh = weights_of(recipe_3d)
    with pytest.raises(InputError, match="2D weights become 3D ones with --inflate"):
        transfer(fresh, offered)
    found = transfer(fresh, offered, inflate=True)
    name = "encoder.levels.0.conv1.conv.weight"
    assert how(found, name) == "inflated"
    flat = torch.randn(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    deep = nn.functional.conv3d(flat[..., None].expand(-1, -1, -1, -1, 5), found.weights[name])
    torch.testing.assert_close(deep[..., 1], nn.functional.conv2d(flat, offered["conv1.weight"]))


def test_an_encoder_of_another_shape_is_refused_in_one_line(recipe_2d: Recipe) -> None:
    offered = {"stem.weight": torch.zeros(64, 3, 7, 7), "head.weight": torch.zeros(10, 64)}
    with pytest.raises(InputError) as refused:
        transfer(weights_of(recipe_2d), offered, source="resnet.pth")
    assert "\n" not in str(refused.value)
    first = "×".join(map(str, weights_of(recipe_2d)["encoder.levels.0.conv1.conv.weight"].shape))
    assert f"the first {first}; resnet.pth has stem.weight 64×3×7×7; give weights of a network" in str(refused.value)


def test_kernels_of_one_voxel_alone_are_no_evidence_and_numbers_that_are_none_are_not_taken(recipe_2d: Recipe) -> None:
    fresh = weights_of(recipe_2d)
    spoiled = {name: torch.full_like(tensor, float("nan")) for name, tensor in fresh.items()}
    with pytest.raises(InputError):
        transfer(fresh, spoiled)
    with pytest.raises(InputError):
        transfer(fresh, {"a": torch.zeros(8, 8, 1, 1)})


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_pairs_are_in_order_equal_and_as_many_as_any_common_subsequence_has(first: list[str], second: list[str]) -> None:
    ours = [f"{c}{n}" for n, c in enumerate(first)]
    theirs = [f"{c}{n}" for n, c in enumerate(second)]
    pairs = _common(ours, theirs, lambda a, b: a[0] == b[0])
    assert all(a[0] == b[0] for a, b in pairs)
    places = [(ours.index(a), theirs.index(b)) for a, b in pairs]
    assert all(np.less(one, other).all() for one, other in pairwise(places))
    assert len(pairs) == longest("".join(first), "".join(second))


def longest(first: str, second: str) -> int:
    """The length of the longest common subsequence, by its definition."""
    if not first or not second:
        return 0
    if first[0] == second[0]:
        return 1 + longest(first[1:], second[1:])
    return max(longest(first[1:], second), longest(first, second[1:]))
