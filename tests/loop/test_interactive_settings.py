"""The settings of interactive networks: how hints are drawn, bending to one image, a network for any label."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import SettingError, UnavailableError
from medloop.core.geometry import Grid
from medloop.core.image import Image, Mask
from medloop.core.records import Case, Model, ProjectSettings, Source
from medloop.interaction.interactive_network.network import NetworkEngine
from medloop.interaction.prompts import Box, Point
from medloop.loop.annotating.annotations import open_case
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.annotating.engines import choose_engine
from medloop.loop.annotating.refining import Refiner, add_prompt, withdraw_prompt
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.data.exporting import export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.loop.worker import drain

from .conftest import FAST, MakeWorkspace

GUIDED = dataclasses.replace(FAST, interactive_network=True, train_steps=2)


def trained(workspace: Workspace, **changes: object) -> Workspace:
    configure(workspace, settings=changes)  # type: ignore[arg-type]  # values of settings
    workspace = workspace.reload()
    start_training(workspace, again=True)
    drain(workspace)
    return workspace.reload()


def models(workspace: Workspace) -> list[Model]:
    with workspace.store.read() as tx:
        return tx.find(Model, order=("index",))


def opened(workspace: Workspace) -> tuple[Case, str]:
    """The last case, which has no annotation, and its assignment."""
    with workspace.store.read() as tx:
        case = tx.find(Case, order=("name",))[-1]
    return case, open_case(workspace, case.id, annotator_named(workspace, "ann").id).assignment.id


def test_hints_are_drawn_as_the_model_learned_them_whatever_the_setting_says_now(make_workspace: MakeWorkspace) -> None:
    workspace = trained(make_workspace(["train"] * 4, labelled=3, settings=GUIDED), prompt_encoding="geodesic")
    configure(workspace, settings={"prompt_encoding": "discs"})
    engine = choose_engine(workspace.reload()).load()
    assert isinstance(engine, NetworkEngine)
    assert engine.recipe.hints == models(workspace)[-1].recipe["hints"] == "geodesic"
    _, assignment = opened(workspace)
    made = add_prompt(workspace, assignment, Point((12, 12, 8)), base_revision=0, refiner=Refiner(engine))
    assert made.draft.mask[12, 12, 8] == 1


def test_a_training_does_not_go_on_from_a_network_that_read_other_hints(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3, labelled=3, settings=dataclasses.replace(GUIDED, warm_start="all"))
    for hints in ("euclidean", "euclidean", "geodesic"):
        workspace = trained(workspace, prompt_encoding=hints)
    assert [m.metrics.get("parent") for m in models(workspace)] == [None, models(workspace)[0].id, None]


def test_a_model_from_before_a_setting_existed_learned_with_its_default(make_workspace: MakeWorkspace) -> None:
    workspace = trained(make_workspace(["train"] * 3, labelled=3))
    (model,) = models(workspace)
    old = {
        {"interactive_network": "guided", "explanation_penalty": "right_reasons"}.get(name, name): value
        for name, value in model.metrics["learned_with"].items()
        if name not in ("prompt_encoding", "any_label", "calibration")
    }
    with workspace.store.write("worker") as tx:
        tx.add(dataclasses.replace(model, id="model-old", index=2, metrics={**model.metrics, "learned_with": old}))
    start_training(workspace)
    drain(workspace)
    assert len(models(workspace)) == 2


@pytest.mark.parametrize("adaptation", ["prompts", "image"])
def test_a_network_bends_to_the_image_for_one_answer_and_the_guard_still_holds(make_workspace: MakeWorkspace, adaptation: str) -> None:
    workspace = trained(make_workspace(["train"] * 4, labelled=3, settings=GUIDED))
    case, assignment = opened(workspace)
    image, plain = load_image(workspace.store.blobs, case), choose_engine(workspace)
    configure(workspace, settings={"adaptation": adaptation})
    workspace = workspace.reload()
    choice = choose_engine(workspace)
    assert choice.key == f"{plain.key} adapted to {adaptation}"
    usual, bent = plain.load(), choice.load()
    assert isinstance(bent, NetworkEngine)
    weights = {name: weight.clone() for name, weight in bent.networks[0].state_dict().items()}
    click = Point((12, 12, 8))
    by_itself, adapted = (e.refine(e.embed(image), [click], labels=(1, 2)).probabilities for e in (usual, bent))
    assert not np.allclose(by_itself, adapted)
    before = read_draft(workspace, assignment).mask
    made = add_prompt(workspace, assignment, click, base_revision=0, refiner=Refiner(bent))
    assert made.draft.mask[12, 12, 8] == 1
    assert set(np.unique(made.draft.mask[made.draft.mask != before])) <= {1}
    back = withdraw_prompt(workspace, assignment, made.prompt_ids[0], base_revision=1, refiner=Refiner(bent))
    assert (back.draft.mask == before).all()
    assert all((weights[name] == weight).all() for name, weight in bent.networks[0].state_dict().items())
    assert len(models(workspace)) == 1


def test_only_unsupervised_adaptation_bends_without_any_hinted_voxel(make_workspace: MakeWorkspace) -> None:
    workspace = trained(make_workspace(["train"] * 4, labelled=3, settings=GUIDED))
    image = load_image(workspace.store.blobs, opened(workspace)[0])
    found = []
    for adaptation in ("none", "prompts", "image"):
        configure(workspace, settings={"adaptation": adaptation})
        engine = choose_engine(workspace.reload()).load()
        found.append(engine.refine(engine.embed(image), [Box((4, 4, 2), (20, 20, 14))], labels=(1, 2)).probabilities)
    assert np.array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def bar_and_disc(seed: int) -> tuple[Image, np.ndarray]:
    """A picture with a bright bar (1) and a bright disc (2) on noise."""
    rng, (i, j) = np.random.default_rng(seed), np.ogrid[:32, :32]
    mask = np.zeros((32, 32, 1), dtype=np.uint8)
    mask[3:8, 3:29] = 1
    mask[(i - rng.integers(17, 24)) ** 2 + (j - rng.integers(9, 23)) ** 2 <= 25] = 2
    return Image((2.0 * (mask > 0) + rng.normal(0, 0.3, mask.shape))[None].astype(np.float32), Grid.flat(32, 32, 1.0)), mask


@pytest.fixture
def bars(tmp_path: Path) -> Iterator[Workspace]:
    """Three pictures with their bars annotated, and one without annotation; nobody annotates discs."""
    settings = ProjectSettings(train_steps=50, train_minutes=0.05, samples=1, train_after=0, any_label=True, seed=3)
    with Workspace.create(tmp_path / "bars", name="bars", kind="segmentation", labels=["bar"], settings=settings) as workspace:
        teacher = annotator_named(workspace, "import", program=True)
        for number in range(4):
            image, mask = bar_and_disc(number)
            incoming = Incoming(Mask((mask == 1).astype(np.uint8), image.grid), teacher) if number < 3 else None
            source = Source(format="made up", names=(str(number),), sha256=f"{number:064d}")
            name = f"case{number}"
            add_case(workspace, image, NewCase(name=name, patient=name, split="train", source=source), incoming)
        yield workspace


def test_a_box_segments_a_label_that_came_after_the_training(bars: Workspace, tmp_path: Path) -> None:
    workspace = trained(bars)
    (model,) = models(workspace)
    configure(workspace, task=TaskChange(added=["disc"]))
    workspace = workspace.reload()
    choice = choose_engine(workspace)
    assert choice.key == f"any-label {model.id}"
    _, assignment = opened(workspace)
    disc = bar_and_disc(3)[1] == 2
    (a, b, _), (i, j, _) = np.argwhere(disc).min(axis=0).tolist(), np.argwhere(disc).max(axis=0).tolist()
    boxed = np.zeros_like(disc)
    boxed[a - 3 : i + 4, b - 3 : j + 4] = True
    begun = read_draft(workspace, assignment).mask
    box = Box((a - 3, b - 3, 0), (min(i + 4, 32), min(j + 4, 32), 1), 2)
    made = add_prompt(workspace, assignment, box, base_revision=0, refiner=Refiner(choice.load()))
    found = made.draft.mask == 2
    dice, filled = (2 * (m & disc).sum() / (m.sum() + disc.sum()) for m in (found, boxed))
    assert dice > filled + 0.1, (dice, filled)
    assert (made.draft.mask[~boxed] == begun[~boxed]).all()
    with pytest.raises(UnavailableError, match="takes no prompts"):
        choose_engine(workspace, "network")
    assert len(load_predictor(workspace.store.blobs, model).networks) == 1
    export_project(workspace, tmp_path / "out", "model")
    assert sorted(f.name for f in (tmp_path / "out").glob("*.safetensors")) == ["any-label.safetensors", "member-0.safetensors"]


def test_without_the_setting_there_is_no_network_for_any_label(pool: Workspace) -> None:
    with pytest.raises(UnavailableError, match="any label"):
        choose_engine(pool, "any-label")


def test_a_classification_has_no_network_for_any_label(tmp_path: Path) -> None:
    settings = ProjectSettings(any_label=True)
    with pytest.raises(SettingError, match="any_label"):
        Workspace.create(tmp_path / "p", name="p", kind="classification", labels=["a", "b"], settings=settings)
