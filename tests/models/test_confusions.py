"""Annotator models: what each annotator makes of each class is learned with the network, and taken out of what the network learns."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from medloop.core.errors import CancelledError, SettingError
from medloop.models.foundation import confusions
from medloop.models.foundation.confusions import DIAGONAL, Annotated, Confusions
from medloop.models.foundation.losses import IGNORE, loss_as_annotated, loss_of
from medloop.models.foundation.recipes import NOBODY, Recipe
from medloop.models.inference.predict import Predictor
from medloop.models.training.batches import draw_annotators, draw_batch, draw_marks, prepare_cases
from medloop.models.training.state import start
from medloop.models.training.train import WARM_UP, take_step, train

KINDS = ["crowd-layer", "confusion", "pixel"]
WIDTH = 4
REAL = torch.tensor(
    [
        [[0.96, 0.02, 0.02], [0.02, 0.96, 0.02], [0.02, 0.02, 0.96]],
        [[0.60, 0.40, 0.00], [0.05, 0.90, 0.05], [0.00, 0.30, 0.70]],
        [[0.34, 0.33, 0.33], [0.34, 0.33, 0.33], [0.34, 0.33, 0.33]],
    ]
)
"""A good, a leaning and a random annotator of three classes."""


def go_on(_):
    return True


def logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made_up(kind: str, *, seed: int = 0) -> Confusions:
    source, found = torch.Generator().manual_seed(seed), Confusions(kind, 2, 3, width=WIDTH)
    with torch.no_grad():
        found.weight += torch.randn(2, 3, 3, generator=source)
        if found.places:
            found.places.outwards += torch.randn(found.places.outwards.shape, generator=source)
    return found


def read(model: Confusions, seen: torch.Tensor, whose: list[int], masks: torch.Tensor | None = None) -> Annotated:
    """What two annotators make of these logits; everything is annotated as background unless said otherwise."""
    looks = logits(len(seen), WIDTH, *seen.shape[2:], seed=9).to(seen.dtype)
    masks = torch.zeros(len(seen), *seen.shape[2:], dtype=torch.int64) if masks is None else masks
    return model(seen, masks, torch.tensor(whose), looks)


@given(st.integers(0, 1000))
def test_what_is_annotated_is_the_sum_over_what_it_may_truly_be(seed: int) -> None:
    model, seen = made_up("confusion", seed=seed), logits(2, 3, 4, 5, seed=seed)
    annotated = read(model, seen, [1, 0]).logits.softmax(1)
    for sample, person in ((0, 1), (1, 0)):
        chances, matrix = seen.softmax(1)[sample], model.matrices()[person]
        for label in range(3):
            by_hand = sum(chances[true] * matrix[true, label] for true in range(3))
            assert torch.allclose(annotated[sample, label], by_hand, atol=1e-5)


def test_a_crowd_layer_multiplies_probabilities_by_the_annotators_matrix() -> None:
    model, seen = made_up("crowd-layer"), logits(1, 3)
    assert torch.allclose(read(model, seen, [1]).logits[0], seen.softmax(1)[0] @ model.weight[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_annotator_has_no_confusion(kind: str) -> None:
    seen = logits(2, 3, 4).log_softmax(1)
    found = read(made_up(kind), seen, [NOBODY, NOBODY])
    assert torch.allclose(found.logits, seen)
    assert found.penalty == 0
    assert not torch.allclose(read(made_up(kind), seen, [NOBODY, 0]).logits[1], seen[1])


@pytest.mark.parametrize("kind", ["confusion", "pixel"])
def test_a_confusion_begins_near_the_identity_with_rows_that_sum_to_1(kind: str) -> None:
    matrices = Confusions(kind, 3, 4).matrices()
    assert torch.allclose(matrices.sum(-1), torch.ones(3, 4))
    assert torch.allclose(matrices.diagonal(dim1=1, dim2=2), torch.full((3, 4), DIAGONAL))


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_small_differences(kind: str) -> None:
    model, whose = made_up(kind).double(), [1, NOBODY, 0]
    weight = model.weight.detach().clone().requires_grad_()
    seen = logits(3, 3, 2).double().requires_grad_()

    def loss(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
        looks, masks = logits(3, WIDTH, 2).double(), torch.zeros(3, 2, dtype=torch.int64)
        found = torch.func.functional_call(model, {"weight": matrices}, (images, masks, torch.tensor(whose), looks))
        return found.logits.log_softmax(1).square().sum()

    assert torch.autograd.gradcheck(loss, (seen, weight))


def test_a_sure_network_still_learns_from_an_annotation_it_did_not_expect() -> None:
    model, seen = Confusions("confusion", 2, 2), torch.tensor([[60.0, -60.0]], requires_grad=True)
    with torch.no_grad():
        model.weight[0, 0] = torch.tensor([200.0, 0.0])
    loss = nn.functional.cross_entropy(model(seen, torch.tensor([1]), torch.tensor([0])).logits, torch.tensor([1]))
    loss.backward()
    assert loss.item() == pytest.approx(120 - np.log(DIAGONAL), rel=1e-4)
    assert torch.isfinite(seen.grad).all()
    assert model.weight.grad[0].any()


def learn(kind: str, points: torch.Tensor, whose: torch.Tensor, given: torch.Tensor) -> tuple[torch.Tensor, Confusions, torch.Tensor]:
    """Train a small network with its annotator model, one annotation per point; the network's classes, the model, the features."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body, head = nn.Sequential(nn.Linear(points.shape[1], 16), nn.ReLU()), nn.Linear(16, int(given.max()) + 1)
    people = int(whose.max()) + 1
    model = Confusions(kind, people, head.out_features, width=16, images=[float((whose == n).sum()) for n in range(people)])
    own, places = {"params": [model.weight], "lr": 0.02, "weight_decay": 0.0}, model.places.parameters() if model.places else ()
    optimiser = torch.optim.AdamW([{"params": [*body.parameters(), *head.parameters(), *places]}, own], lr=5e-3)
    for step in range(400):
        looks = body(points)
        found = model(head(looks), given, whose, looks)
        loss = nn.functional.cross_entropy(found.logits, given) + found.penalty
        optimiser.zero_grad()
        (loss if step >= 400 * WARM_UP else nn.functional.cross_entropy(head(looks), given)).backward()
        optimiser.step()
    looks = body(points).detach()
    return head(looks).argmax(1), model.eval(), looks


@pytest.mark.parametrize("kind", KINDS)
def test_a_known_confusion_is_found_from_one_annotation_per_item(kind: str) -> None:
    source = torch.Generator().manual_seed(3)
    truth, whose = torch.randint(0, 3, (900,), generator=source), torch.randint(0, 3, (900,), generator=source)
    points = 3 * torch.eye(3)[truth] + 0.6 * torch.randn(900, 3, generator=source)
    given = torch.multinomial(REAL[whose, truth], 1, generator=source)[:, 0]
    classes, model, _ = learn(kind, points, whose, given)
    counted = torch.zeros(3, 3, 3).index_put_((whose, truth, given), torch.ones(900), accumulate=True)
    counted = counted / counted.sum(-1, keepdim=True)
    assert float((classes == truth).float().mean()) > (0.95 if kind == "pixel" else 0.97)
    matrices = model.matrices()
    assert float((matrices - counted).abs().mean()) < (0.06 if kind == "pixel" else 0.03)
    assert float((matrices - counted).abs().max()) < (0.2 if kind == "pixel" else 0.12)


@pytest.mark.parametrize("seed", range(3))
def test_an_error_in_one_place_is_found_there_by_a_confusion_per_voxel_and_spread_by_a_global_one(seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    truth, whose = torch.randint(0, 2, (900,), generator=source), torch.randint(0, 3, (900,), generator=source)
    place = 2.0 * torch.randint(0, 2, (900,), generator=source) - 1
    points = torch.cat([3 * torch.eye(2)[truth] + 0.6 * torch.randn(900, 2, generator=source), place[:, None]], 1)
    errs = (whose == 2) & (place > 0) & (torch.rand(900, generator=source) < 0.8)
    given = torch.where(errs, 1 - truth, truth)
    right, found = {}, {}
    for kind in ("confusion", "pixel"):
        classes, model, looks = learn(kind, points, whose, given)
        found[kind] = float((classes == truth).float().mean())
        annotated = model(60 * torch.eye(2)[truth], given, whose, looks).logits.softmax(1).detach()
        kept = annotated.gather(1, truth[:, None])[:, 0]
        right[kind] = [float(kept[(whose == 2) & (place == side)].mean()) for side in (-1, 1)]
    assert found["pixel"] > max(0.97, found["confusion"] - 0.01)
    assert right["pixel"][0] > 0.9
    assert right["pixel"][1] < 0.3
    assert right["confusion"][0] == pytest.approx(0.6, abs=0.1)


def modelled(recipe: Recipe, kind: str = "confusion", annotators: int = 2) -> Recipe:
    return dataclasses.replace(recipe, annotator_model=kind, annotators=annotators)


def by_two(cases):
    return [dataclasses.replace(case, annotator=number % 2) for number, case in enumerate(cases)]


def weights(trained) -> list[bytes]:
    return [file.read_bytes() for file in trained.weights]


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("crowd-layer", "3d"), ("confusion", "2d"), ("confusion", "tags"), ("pixel", "3d"), ("pixel", "2d"), ("pixel", "tags")],
)
def test_a_stopped_training_goes_on_bit_for_bit_and_only_the_network_predicts(
    kind: str, shape: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    recipe = modelled(request.getfixturevalue(f"recipe_{shape}"), kind)
    cases = by_two(request.getfixturevalue({"3d": "volumes", "2d": "pictures", "tags": "tagged"}[shape]))
    whole = train(recipe, cases, [], tmp_path / "whole", report=go_on)
    with pytest.raises(CancelledError):
        train(recipe, cases, [], tmp_path / "parts", report=lambda p: p.step != 3)
    parts = train(recipe, cases, [], tmp_path / "parts", report=go_on)
    assert weights(parts) == weights(whole)
    assert parts.metrics["confusions"] == whole.metrics["confusions"]
    assert np.shape(whole.metrics["confusions"]) == (2, recipe.classes, recipe.classes)
    assert not np.allclose(whole.metrics["confusions"][0], whole.metrics["confusions"][1])
    plain = dataclasses.replace(recipe, annotator_model="none", annotators=0)
    image, _ = cases[0].load()
    first, second = (Predictor.load(r, weights(whole)).predict(image, samples=1, rng=np.random.default_rng(0)) for r in (recipe, plain))
    assert np.array_equal(first.probabilities, second.probabilities)


def test_a_batch_names_its_annotators_whenever_it_is_drawn(recipe_2d, pictures, tmp_path) -> None:
    recipe = modelled(recipe_2d)
    prepared = prepare_cases(recipe, by_two(pictures), tmp_path)
    drawn = [draw_annotators(recipe, prepared, member=0, step=step).tolist() for step in range(3)]
    assert draw_annotators(recipe, prepared, member=0, step=2).tolist() == drawn[2]
    assert sorted(np.ravel(drawn)) == [0, 0, 0, 0, 1, 1]  # every case twice
    assert draw_annotators(recipe_2d, prepared, member=0, step=0) is None


def test_whose_annotations_they_are_decides_the_model(recipe_2d, pictures, tmp_path) -> None:
    recipe, others = modelled(recipe_2d), [dataclasses.replace(case, annotator=NOBODY) for case in pictures]
    first, second = (train(recipe, cases, [], tmp_path / str(n), report=go_on) for n, cases in enumerate((by_two(pictures), others)))
    assert weights(first) != weights(second)


def test_without_annotators_nothing_changes(recipe_2d, pictures, tmp_path) -> None:
    first, second = (train(recipe_2d, cases, [], tmp_path / str(n), report=go_on) for n, cases in enumerate((by_two(pictures), pictures)))
    assert weights(first) == weights(second)
    assert "confusions" not in first.metrics


@pytest.mark.parametrize("wrong", [{"annotator_model": "confusion", "annotators": 1}, {"annotators": 2}, {"annotator_model": "oracle"}])
def test_a_recipe_models_two_annotators_or_more(recipe_2d, wrong) -> None:
    with pytest.raises(SettingError, match="annotator"):
        dataclasses.replace(recipe_2d, **wrong)


def test_recipes_from_before_have_no_annotator_model(recipe_2d) -> None:
    record = {name: value for name, value in recipe_2d.to_json().items() if not name.startswith("annotator")}
    assert Recipe.from_json(record) == recipe_2d


def test_without_confusion_the_loss_is_the_plain_one(recipe_3d, volumes, tmp_path) -> None:
    recipe = modelled(recipe_3d)
    images, targets = draw_batch(recipe, prepare_cases(recipe, volumes, tmp_path), member=0, step=0)
    seen, nobody = logits(len(images), recipe.classes, *images.shape[2:]), torch.full((len(images),), NOBODY)
    layer = Confusions("crowd-layer", 2, recipe.classes)
    assert torch.allclose(loss_as_annotated(recipe, seen, targets, layer, nobody), loss_of(recipe, seen, targets))


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_that_were_not_annotated_and_labels_that_came_later_teach_nothing(recipe_2d, kind: str) -> None:
    recipe, model = modelled(recipe_2d, kind), made_up(kind)
    masks = torch.ones(1, 6, 6, dtype=torch.int64)
    masks[:, 3:] = IGNORE
    seen, looks = logits(1, 3, 6, 6).requires_grad_(), logits(1, WIDTH, 6, 6)
    known = torch.tensor([[True, True, False]])
    loss = loss_as_annotated(recipe, seen, masks, model, torch.tensor([1]), looks, known=known)
    loss.backward()
    assert not seen.grad[:, :, 3:].any()
    assert seen.grad[:, :, :3].any()
    assert torch.isfinite(seen.grad).all()
    elsewhere, others = made_up(kind), looks.clone()
    others[:, :, 3:] = 5.0
    again = loss_as_annotated(recipe, seen, masks, elsewhere, torch.tensor([1]), others, known=known)
    assert again.item() == pytest.approx(loss.item())
    assert torch.allclose(model.matrices(), elsewhere.matrices())


@pytest.mark.parametrize("kind", KINDS)
def test_piece_by_piece_gives_what_all_voxels_at_once_give(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for room in (confusions.ROOM, 2 * 3 * 3 * 7):
        monkeypatch.setattr(confusions, "ROOM", room)
        model, seen = made_up(kind), logits(2, 3, 4, 5).requires_grad_()
        annotated = read(model, seen, [1, 0])
        (annotated.logits.square().sum() + annotated.penalty).backward()
        found.append([annotated.logits, annotated.penalty, model.matrices(), seen.grad, *(p.grad for p in model.parameters())])
    assert all(torch.allclose(a, b, atol=1e-3) for a, b in zip(*found, strict=True))


def test_memory_does_not_grow_with_the_square_of_the_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confusions, "ROOM", 30 * 30 * 64)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    model, seen, looks = Confusions("pixel", 2, 30, width=WIDTH), logits(1, 30, 64, 64).requires_grad_(), logits(1, WIDTH, 64, 64)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(seen, torch.zeros(1, 64, 64, dtype=torch.int64), torch.tensor([1]), looks)
    assert sum(kept) < 10 * seen.numel()


def test_an_annotator_of_few_images_is_held_nearer_to_the_identity() -> None:
    seen, masks = logits(2, 3, 50), torch.zeros(2, 50, dtype=torch.int64)
    pulls = []
    for images in ([1.0, 1.0], [1.0, 100.0]):
        model = Confusions("confusion", 2, 3, images=images)
        model(seen, masks, torch.tensor([0, 1])).penalty.backward()
        pulls.append(model.weight.grad[1].diagonal().sum().item())
    assert pulls[0] < pulls[1]
    assert pulls[0] < 0


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_wait_at_the_identity_until_the_network_has_begun_to_learn(recipe_2d, pictures, tmp_path, kind: str) -> None:
    first = int(np.ceil(recipe_2d.steps * WARM_UP))
    grown: dict[str, list[bool]] = {}
    for name, recipe in (("plain", recipe_2d), (kind, modelled(recipe_2d, kind))):
        prepared = prepare_cases(recipe, by_two(pictures), tmp_path / name)
        state = start(recipe, 0, cases=prepared)
        before = state.confusions.weight.detach().clone() if state.confusions else None
        for step in range(first + 1):
            batch = draw_batch(recipe, prepared, member=0, step=step)
            take_step(recipe, 0, state, *batch, marks=draw_marks(recipe, prepared, member=0, step=step))
            if state.confusions:
                grown.setdefault(name, []).append(not torch.equal(state.confusions.weight, before))
    assert grown == {kind: [False] * first + [True]}


@pytest.mark.parametrize("more", [{"heads": 3}, {"touched_weight": 3.0}, {"members": 2}])
def test_a_confusion_per_voxel_stands_beside_other_choices(recipe_2d, pictures, tmp_path, more: dict) -> None:
    trained = train(dataclasses.replace(modelled(recipe_2d, "pixel"), **more), by_two(pictures), [], tmp_path, report=go_on)
    assert np.shape(trained.metrics["confusions"]) == (2, 3, 3)


@pytest.mark.parametrize("kind", ["confusion", "pixel"])
def test_a_small_structure_that_the_network_hardly_believes_teaches_nearly_as_much_as_without_annotators(recipe_2d, kind: str) -> None:
    recipe, masks = modelled(recipe_2d, kind), torch.zeros(1, 16, 16, dtype=torch.int64)
    masks[:, 4:6, 4:6] = 2
    plain, modelled_too = (torch.tensor([4.0, 0.0, 0.0]).reshape(1, 3, 1, 1).repeat(1, 1, 16, 16).requires_grad_() for _ in range(2))
    loss_of(recipe, plain, masks).backward()
    looks, model = logits(1, WIDTH, 16, 16), Confusions(kind, 2, 3, width=WIDTH)
    loss_as_annotated(recipe, modelled_too, masks, model, torch.tensor([1]), looks).backward()
    pulls = [-seen.grad[0, 2, 4:6, 4:6].mean().item() for seen in (plain, modelled_too)]
    assert pulls[1] > 0.6 * pulls[0] > 0


def made_up_structure(seed: int, share: float, unsure: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A calibrated network's logits and a truth drawn by them: a structure of a share of the voxels, so many of which it is unsure of."""
    source = torch.Generator().manual_seed(seed)
    sure = torch.rand(1, 4000, generator=source) >= unsure
    inside = torch.rand(1, 4000, generator=source) < share
    chance = torch.where(sure, torch.where(inside, 0.995, 0.005), 0.1 + 0.5 * torch.rand(1, 4000, generator=source))
    truth = (torch.rand(1, 4000, generator=source) < chance).long()
    return torch.stack([1 - chance, chance], 1).log(), truth


def counted_confusions(errors: torch.Tensor, *, share: float, unsure: float, batches: int = 120) -> torch.Tensor:
    """What `pixel` counts of annotators who err by these confusions, shape (annotators, 2, 2), on images of a small structure."""
    source = torch.Generator().manual_seed(1)
    model = Confusions("pixel", len(errors), 2, width=1, images=[batches / len(errors)] * len(errors)).train()
    for n in range(batches):
        person = n % len(errors)
        logits, truth = made_up_structure(n, share, unsure)
        given = torch.multinomial(errors[person][truth[0]], 1, generator=source)[:, 0][None]
        model(logits, given, torch.tensor([person]), torch.zeros(1, 1, 4000))
    return model.matrices()


@pytest.mark.parametrize(("share", "unsure"), [(0.3, 0.05), (0.02, 0.05), (0.005, 0.1)])
def test_faultless_annotators_seem_faultless_however_small_the_structure_and_unsure_the_network(share: float, unsure: float) -> None:
    found = counted_confusions(torch.eye(2).repeat(2, 1, 1), share=share, unsure=unsure)
    assert float(found.diagonal(dim1=1, dim2=2).min()) > 0.97


@pytest.mark.parametrize("share", [0.3, 0.02])
def test_known_errors_on_a_small_structure_are_counted_as_they_are(share: float) -> None:
    errors = torch.tensor([[[0.99, 0.01], [0.3, 0.7]], [[0.9, 0.1], [0.1, 0.9]], [[1.0, 0.0], [0.0, 1.0]]])
    found = counted_confusions(errors, share=share, unsure=0.05, batches=240)
    assert float((found - errors).abs().max()) < 0.07
    order = found[:, 1, 1].argsort().tolist()
    assert order == [0, 1, 2]
