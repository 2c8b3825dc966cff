import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import CancelledError
from medloop.core.records import Case, Descriptor, Model, Prediction, Query, Round
from medloop.loop.data.importing import import_dataset
from medloop.loop.foundation import described
from medloop.loop.foundation.described import describe_cases
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying import on_demand as describing
from medloop.loop.querying.descriptions import learned_maker, small_views
from medloop.loop.querying.on_demand import cold_features, extra_scores, kept_features, latent_codes, request_description
from medloop.loop.worker import drain
from medloop.models.pretext.latent import DIMENSIONS
from medloop.store.audit import verify

from .conftest import FAST, MakeWorkspace
from .test_importing import write_case


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps in place of hundreds: what is learned does not matter here."""
    for name in ("LATENT_STEPS", "CONTRAST_STEPS"):
        monkeypatch.setattr(describing, name, 2)


def cases_of(workspace: Workspace) -> list[Case]:
    with workspace.store.read() as tx:
        return tx.find(Case, order=("name",))


def descriptors_of(workspace: Workspace) -> list[Descriptor]:
    with workspace.store.read() as tx:
        return tx.find(Descriptor)


def test_each_case_is_described_once(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3)
    cases = cases_of(workspace)
    first = cold_features(workspace, cases[:2])
    both = cold_features(workspace, cases)
    assert set(both) == {c.id for c in cases}
    np.testing.assert_array_equal(both[cases[0].id], first[cases[0].id])
    assert len(descriptors_of(workspace)) == 3
    assert {k: v.tobytes() for k, v in kept_features(workspace, cases).items()} == {k: v.tobytes() for k, v in both.items()}
    assert verify(workspace.store).ok


def test_a_stopped_description_goes_on_after_the_last_whole_chunk(make_workspace: MakeWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "CHUNK", 2)
    workspace = make_workspace(["train"] * 5)
    seen: list[str] = []

    def make(_workspace: Workspace, case: Case) -> np.ndarray:
        seen.append(case.name)
        return np.array([len(seen)], dtype=np.float32)

    def stop(progress: float, line: str) -> None:
        if progress > 0.5:
            raise CancelledError("stop")

    with pytest.raises(CancelledError):
        describe_cases(workspace, "count", "", cases_of(workspace), make, report=stop)
    found = describe_cases(workspace, "count", "", cases_of(workspace), make)
    assert seen == [f"case{n:02d}" for n in range(5)]
    assert sorted(float(v[0]) for v in found.values()) == [1, 2, 3, 4, 5]


def test_a_killed_description_goes_on_where_it_was(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4)
    script = """
import os, signal, sys
from pathlib import Path
from medloop.core.records import Case
from medloop.loop.querying import on_demand as describing
from medloop.loop.foundation import described
from medloop.loop.querying.on_demand import cold_features
from medloop.loop.foundation.workspace import Workspace
described.CHUNK = 2
with Workspace.open(Path(sys.argv[1])) as workspace:
    with workspace.store.read() as tx:
        cases = tx.find(Case, order=("name",))
    cold_features(workspace, cases, report=lambda done, line: os.kill(os.getpid(), signal.SIGKILL) if done else None)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(workspace.folder)], check=False)
    assert ended.returncode == -9
    before = {d.id for d in descriptors_of(workspace)}
    assert len(before) == 2
    assert len(cold_features(workspace, cases_of(workspace))) == 4
    assert before < {d.id for d in descriptors_of(workspace)}
    assert verify(workspace.store).ok


def test_learned_features_replace_descriptors_when_the_project_asks(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 5, settings=dataclasses.replace(FAST, cold_start="selfsup"))
    cases = cases_of(workspace)
    assert kept_features(workspace, cases) == {}
    found = cold_features(workspace, cases)
    assert {v.shape for v in found.values()} == {(64,)}
    assert {(d.method, len(d.maker)) for d in descriptors_of(workspace)} == {("selfsup", 64)}
    again = cold_features(workspace, cases)
    assert {k: v.tobytes() for k, v in again.items()} == {k: v.tobytes() for k, v in found.items()}
    assert len(kept_features(workspace, cases)) == 5


def test_too_few_cases_for_learning_get_descriptors(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 3 + ["test"] * 2, settings=dataclasses.replace(FAST, cold_start="selfsup"))
    assert len(cold_features(workspace, cases_of(workspace))) == 5
    assert {d.method for d in descriptors_of(workspace)} == {"descriptors"}
    assert latent_codes(workspace, cases_of(workspace)) is None


def test_a_network_learns_from_training_cases_only_and_again_when_they_have_doubled(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4 + ["test"] * 2)
    sizes: list[int] = []

    def train(thumbnails: np.ndarray, seed: int) -> bytes:
        sizes.append(len(thumbnails))
        return f"weights {len(sizes)}".encode()

    def describe(cases: Sequence[Case]) -> str:
        maker = learned_maker(workspace, "latent", train)
        assert maker is not None
        describe_cases(workspace, "latent", maker, cases, lambda _workspace, _case: np.zeros(1))
        return maker

    first = describe(cases_of(workspace))
    assert describe(cases_of(workspace)) == first
    add_cases(workspace, 3)
    assert describe(cases_of(workspace)) == first
    add_cases(workspace, 1)
    assert describe(cases_of(workspace)) != first
    assert sizes == [4, 8]


def add_cases(workspace: Workspace, count: int) -> None:
    import hashlib

    from medloop.core.records import Source
    from medloop.images.phantoms import phantom_3d
    from medloop.loop.data.cases import NewCase, add_case

    have = len(cases_of(workspace))
    for n in range(have, have + count):
        image = phantom_3d(n, 1, (24, 24, 16)).image
        source = Source(format="phantom", names=(f"{n}",), sha256=hashlib.sha256(image.array.tobytes()).hexdigest())
        add_case(workspace, image, NewCase(name=f"late{n:02d}", patient=f"late{n}", split="train", source=source))


def test_thumbnails_are_kept_and_a_damaged_one_is_made_again(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"])
    (case,) = cases_of(workspace)
    made = small_views(workspace, case)
    (file,) = (workspace.work_folder / "thumbnails").iterdir()
    np.testing.assert_array_equal(small_views(workspace, case), made)
    file.write_bytes(b"short")
    np.testing.assert_array_equal(small_views(workspace, case), made)


@pytest.fixture
def trained(make_workspace: MakeWorkspace) -> Workspace:
    workspace = make_workspace(["train"] * 7, labelled=4, settings=dataclasses.replace(FAST, train_steps=2))
    start_training(workspace)
    drain(workspace)
    return workspace


def test_every_score_on_demand_comes_in_the_order_of_the_cases(trained: Workspace) -> None:
    with trained.store.read() as tx:
        model = tx.live_model()
        assert model is not None
        predictions = {p.case_id: p for p in tx.latest_predictions(model.id)}
    labelled, pool = cases_of(trained)[:4], cases_of(trained)[4:]
    needs = {"latent", "unlabelled", "predicted_loss", "adversarial_distance"}
    extra = extra_scores(trained, needs, pool, labelled=labelled, predictions=predictions, model=model)
    assert set(extra.scores) == {"unlabelled", "predicted_loss", "adversarial_distance"}
    assert all(v.shape == (3,) and np.isfinite(v).all() for v in extra.scores.values())
    assert extra.tables["latent"].shape == (3, DIMENSIONS)
    assert extra.labelled["latent"].shape == (4, DIMENSIONS)
    turned = extra_scores(trained, needs, pool[::-1], labelled=labelled, predictions=predictions, model=model)
    for name in ("adversarial_distance", "predicted_loss"):
        np.testing.assert_allclose(turned.scores[name][::-1], extra.scores[name], rtol=1e-6)
    np.testing.assert_array_equal(turned.tables["latent"][::-1], extra.tables["latent"])
    with trained.store.read() as tx:
        assert {c.id for c in labelled} <= {p.case_id for p in tx.find(Prediction)}


def test_without_a_model_only_latent_codes_can_be_had(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4)
    needs = {"latent", "unlabelled", "predicted_loss", "adversarial_distance"}
    extra = extra_scores(workspace, needs, cases_of(workspace), labelled=[], predictions={}, model=None)
    assert set(extra.tables) == {"latent"}
    assert extra.scores["unlabelled"].tolist() == [1.0] * 4
    nothing = extra_scores(workspace, {"entropy"}, cases_of(workspace), labelled=[], predictions={}, model=None)
    assert (nothing.scores, nothing.tables) == ({}, {})


def test_an_import_asks_for_descriptions_only_when_a_strategy_needs_them(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for n in range(3):
        write_case(source, f"case{n}", np.diag([1.0, 1.0, 1.0, 1.0]) + 0.0 * n)
    for first, expected in (("random", 0), ("coreset", 1)):
        settings = dataclasses.replace(FAST, first_strategy=first)
        with Workspace.create(tmp_path / first, name="p", kind="segmentation", labels=["a", "b"], settings=settings) as workspace:
            import_dataset(workspace, source, annotations="none")
            jobs = [job.kind for job in workspace.store.jobs.list()]
            assert jobs == ["describe"] * expected
            if expected:
                drain(workspace)
                with workspace.store.read() as tx:
                    assert tx.count(Descriptor) == tx.count(Case) > 0
                    assert tx.count(Round) == tx.count(Query) == 1
                    assert tx.count(Model) == 0


def test_descriptions_are_asked_for_once_while_they_wait(make_workspace: MakeWorkspace) -> None:
    workspace = make_workspace(["train"] * 4, settings=dataclasses.replace(FAST, strategy="asal"))
    request_description(workspace)
    request_description(workspace)
    assert drain(workspace) == 1
    assert {d.method for d in descriptors_of(workspace)} == {"latent"}
