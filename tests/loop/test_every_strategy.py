"""Every strategy of the registry can choose in a real project, from what predictions, tables and the effort log hold."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medloop.core.image import Image, Mask
from medloop.core.records import Source, TaskKind
from medloop.images.phantoms import phantom_3d, phantom_tags
from medloop.loop.data.cases import Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.pools import PoolInputs, build_pool
from medloop.loop.querying.queries import make_query
from medloop.loop.worker import drain
from medloop.query.pool import ON_DEMAND
from medloop.query.strategies import BUILT_IN, Strategy

from .conftest import FAST, SMALL
from .made_up import askable_names

SETTINGS = dataclasses.replace(FAST, strategy="coreset", train_steps=2, samples=3, consensus="majority", targets="soft")
ANSWERED, CASES = 4, 10
CHOOSING = [s for s in BUILT_IN if "oracle_foreground" not in s.needs and not s.needs & ON_DEMAND]
"""Oracles choose in simulations only, and what is worked out on demand has tests of its own."""


def _phantom(kind: TaskKind, index: int) -> tuple[Image, Mask | int]:
    if kind == "segmentation":
        volume = phantom_3d(index, 1, SMALL)
        return volume.image, volume.mask
    picture = phantom_tags(index, shape=(32, 32))
    return picture.image, picture.tag


def _project(folder: Path, kind: TaskKind) -> Workspace:
    workspace = Workspace.create(folder, name=kind, kind=kind, labels=["one", "two"], settings=SETTINGS)
    teacher = annotator_named(workspace, "import", program=True)
    for index in range(CASES):
        image, answer = _phantom(kind, index)
        digest = hashlib.sha256(image.array.tobytes()).hexdigest()
        source = Source(format="phantom", names=(f"{index}",), sha256=digest)
        given = answer if index < ANSWERED else None
        name = f"case{index:02d}"
        add_case(
            workspace,
            image,
            NewCase(name=name, patient=name, split="train", source=source),
            Incoming(given, teacher) if given is not None else None,
        )
    start_training(workspace, actor="test")
    drain(workspace)
    return workspace


@pytest.fixture(scope="module", params=["segmentation", "classification"])
def gathering(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PoolInputs]:
    """A pool that a model has seen, beside answered cases."""
    workspace = _project(tmp_path_factory.mktemp("every") / "p", request.param)
    with workspace.store.read() as tx:
        names, model = askable_names(tx), tx.live_model()
        assert model is not None
    yield PoolInputs(workspace, names, model, {}, 2, thorough=False)
    workspace.close()


@pytest.mark.parametrize("one", CHOOSING, ids=lambda s: s.name)
def test_a_strategy_chooses_in_a_project(one: Strategy, gathering: PoolInputs) -> None:
    pool = build_pool(gathering, one.needs)
    assert pool is not None
    picks = one.select(pool, 3, np.random.default_rng(0))
    assert len({p.index for p in picks}) == 3


def test_a_first_round_can_be_spread_by_what_images_look_like(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, first_strategy="typiclust")
    workspace = Workspace.create(tmp_path / "p", name="cold", kind="segmentation", labels=["one", "two"], settings=settings)
    for index in range(5):
        image, _ = _phantom("segmentation", index)
        source = Source(format="phantom", names=(f"{index}",), sha256=f"{index}")
        add_case(workspace, image, NewCase(name=f"case{index}", patient=f"p{index}", split="train", source=source))
    quick, thorough = make_query(workspace, 1), make_query(workspace, 1, thorough=True)
    assert quick is not None
    assert thorough is not None
    assert (quick.strategy, thorough.strategy) == ("random", "typiclust")
    assert all(c.probability == pytest.approx(1 / (5 - n)) for n, c in enumerate(quick.choices))
    workspace.close()
