"""With the setting `targets` at soft trainings learn how far the readers of a case differ."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.core.records import Case, Consensus, Model, ProjectSettings
from medloop.core.settings import check_settings
from medloop.loop.annotating.adjudicating import Ruling, adjudicate
from medloop.loop.annotating.annotations import open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.foundation.annotated_labels import annotated_labels
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace, check_project_settings
from medloop.loop.judging.calibration import _rows_of
from medloop.loop.judging.prediction_scores import judge, readers_differ
from medloop.loop.learning.soft_labels import soft_labels
from medloop.loop.learning.training_set import training_case
from medloop.loop.worker import drain
from medloop.models.inference.predict import ModelOutput
from medloop.store.audit import verify
from medloop.store.doctor import examine

from .conftest import MakeWorkspace
from .made_up import add_cases
from .test_readings import cube, people, read_case, reading, standing, with_readings

SOFT = {"readings": 3, "consensus": "majority", "targets": "soft"}


def read_by_three(make_workspace: MakeWorkspace, **settings: Any) -> tuple[Workspace, Case]:
    """A case whose first slab one, whose second two and whose next six three readers draw, and one read by all alike."""
    workspace = make_workspace(["train"] * 2, settings=with_readings(**{**SOFT, **settings}))
    with workspace.store.read() as tx:
        cases = tx.find(Case, order=("name",))
    for person, start in zip(people(workspace, "Ann", "Bob", "Eva"), (4, 5, 6), strict=True):
        read_case(workspace, cases[0].id, person, cube(start))
        read_case(workspace, cases[1].id, person, cube(4, label=2))
    drain(workspace)
    return workspace, cases[0]


def trained(workspace: Workspace) -> Model:
    start_training(workspace)
    drain(workspace)
    with workspace.store.read() as tx:
        return tx.find(Model, order=("index",), descending=True, limit=1)[0]


def shares(workspace: Workspace, case: Case) -> np.ndarray:
    """What is learned of the first label at each voxel where the readers differ, by slab."""
    target = soft_labels(workspace, [standing(workspace, case.id)], {case.id: case})[standing(workspace, case.id).id]()
    assert target.chances.shape == (3, len(target.places))
    dense = np.zeros(case.grid.shape)
    dense.reshape(-1)[target.places] = target.chances[1]
    return dense[:, 5, 5]


def test_a_training_learns_of_each_voxel_how_many_readers_gave_the_label(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace)
    np.testing.assert_allclose(shares(workspace, case)[[3, 4, 5, 6, 12, 13, 14]], [0, 1 / 3, 2 / 3, 0, 2 / 3, 1 / 3, 0], atol=1 / 255)
    model = trained(workspace)
    assert (model.recipe["targets"], model.metrics["soft_cases"]) == ("soft", 2)
    assert verify(workspace.store).ok


def test_hard_targets_make_another_model_and_the_same_settings_make_none(make_workspace: MakeWorkspace) -> None:
    workspace, _ = read_by_three(make_workspace)
    soft = trained(workspace)
    assert trained(workspace).id == soft.id
    configure(workspace, settings={"targets": "hard"}, actor="Ann")
    hard = trained(workspace.reload())
    assert (hard.index, hard.recipe["targets"], hard.weights == soft.weights) == (2, "hard", False)
    assert "soft_cases" not in hard.metrics


def test_other_probabilities_of_the_same_mask_are_news(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace)
    before, mask = trained(workspace), standing(workspace, case.id).blob
    configure(workspace, settings={"consensus": "simple"}, actor="Ann")
    workspace = workspace.reload()
    drain(workspace)
    assert standing(workspace, case.id).blob == mask
    assert trained(workspace).index == before.index + 1


def test_a_consensus_from_before_probabilities_were_kept_is_made_again(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace, targets="hard")
    with workspace.store.read() as tx:
        found = tx.find(Consensus, where={"case_id": case.id})[-1]
    older = dataclasses.replace(found, id="consensus-older", supersedes=found.id, voxel_probabilities=None, expected_error=None)
    with workspace.store.write("system") as tx:
        tx.add(older, verb="reconcile")
    assert not reading(workspace, case.id).consensus_due
    assert soft_labels(workspace, [standing(workspace, case.id)], {case.id: case}) == {}
    configure(workspace, settings={"targets": "soft"}, actor="Ann")
    workspace = workspace.reload()
    drain(workspace)
    assert shares(workspace, case)[5] == pytest.approx(2 / 3, abs=1 / 255)


def test_what_one_person_decided_is_learned_as_decided(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace)
    (rita,) = people(workspace, "Rita")
    adjudicate(workspace, case.id, rita.id, [Ruling(standing(workspace, case.id).id)], comment="as drawn")
    assert standing(workspace, case.id).origin == "adjudicated"
    assert soft_labels(workspace, [standing(workspace, case.id)], {case.id: case}) == {}
    assert trained(workspace).metrics["soft_cases"] == 1


def test_a_case_whose_probabilities_are_damaged_is_learned_as_fused_and_named(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace)
    with workspace.store.read() as tx:
        found = next(c for c in tx.find(Consensus, where={"case_id": case.id}))
    workspace.store.blobs.path(str(found.voxel_probabilities)).unlink()
    said: list[str] = []
    assert soft_labels(workspace, [standing(workspace, case.id)], {case.id: case}, said.append) == {}
    assert said[0].startswith(f"{case.name} is learned as fused, without what is uncertain")
    assert trained(workspace).metrics["soft_cases"] == 1
    assert [bad.blob for bad in examine(workspace.store).bad] == [found.voxel_probabilities]


def test_the_probabilities_of_classes_are_those_of_the_consensus(tmp_path: Path) -> None:
    settings = with_readings(**SOFT)
    workspace = Workspace.create(tmp_path / "tags", name="tags", kind="classification", labels=["no", "yes"], settings=settings)
    add_cases(workspace, 2)
    with workspace.store.read() as tx:
        cases = tx.find(Case, order=("name",))
    for person, tags in zip(people(workspace, "Ann", "Bob", "Eva"), [(1, 0), (1, 0), (0, 0)], strict=True):
        for case, tag in zip(cases, tags, strict=True):
            submit(workspace, open_case(workspace, case.id, person.id).assignment.id, Submitted(tag=tag))
    drain(workspace)
    made = [standing(workspace, case.id) for case in cases]
    found = soft_labels(workspace, made, {case.id: case for case in cases})
    assert [found[a.id]().chances[:, 0].round(3).tolist() for a in made] == [[0.333, 0.667], [1.0, 0.0]]
    assert [a.tag for a in made] == [1, 0]
    assert trained(workspace).metrics["soft_cases"] == 2
    workspace.close()


class Flat:
    """A model that says the same of every voxel."""

    def predict(self, image: Any, *, samples: int, rng: np.random.Generator) -> ModelOutput:  # noqa: ARG002  # as a Predictor
        said = np.full((1, 3, *image.grid.shape), 1 / 3, dtype=np.float32)
        return ModelOutput(said, np.zeros(1, dtype=np.float32))


def test_a_calibration_is_fitted_to_readers_and_not_to_their_majority(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace)
    standing_now = standing(workspace, case.id)
    with workspace.store.read() as tx:
        said = annotated_labels(tx, workspace.task)
    target = soft_labels(workspace, [standing_now], {case.id: case})[standing_now.id]()
    image, mask = training_case(workspace, standing_now, case, said).load()
    rng = np.random.default_rng
    hard, _ = _rows_of(Flat(), image, mask, samples=1, rng=rng(0))  # type: ignore[arg-type]
    soft, _ = _rows_of(Flat(), image, mask, samples=1, rng=rng(0), soft=target)  # type: ignore[arg-type]
    drawn = [_rows_of(Flat(), image, mask, samples=1, rng=rng(n), soft=target)[0] for n in range(20)]  # type: ignore[arg-type]
    assert (hard != soft).any()
    majority, readers = (hard == 1).sum(), np.mean([(one == 1).sum() for one in drawn])
    inside = target.places.size
    assert abs(readers - majority) < 0.2 * inside, "as many voxels go as come: the share of the label stays"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"consensus": "latest"}, "targets soft needs readings that are fused, got consensus latest"),
        ({"annotator_model": "confusion"}, "targets soft learns one consensus per case"),
    ],
)
def test_soft_targets_without_a_fused_consensus_or_beside_an_annotator_model_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        check_settings(ProjectSettings(**{**SOFT, **settings}))


def test_what_stays_uncertain_is_stored_where_readers_differ_only(make_workspace: MakeWorkspace) -> None:
    workspace, case = read_by_three(make_workspace)
    with workspace.store.read() as tx:
        found = {c.case_id: c for c in tx.find(Consensus)}
    assert found[case.id].expected_error == pytest.approx(1 - 2 * (6 + 2 * 2 / 3) / (8 + 6 + 2 * 2 / 3 + 2 * 1 / 3), abs=1e-3)
    other = next(c for c in found.values() if c.case_id != case.id)
    assert other.expected_error == 0
    assert len(workspace.store.blobs.get(str(other.voxel_probabilities))) < 40


def test_models_that_know_of_readers_say_where_they_will_differ_and_others_do_not() -> None:
    samples = np.array([[0.5, 0.5], [1.0, 0.0]])
    plain = Model(id="model", index=1, recipe={}, snapshot_id="snapshot", weights=(), metrics={}, created_at="")
    soft = dataclasses.replace(plain, recipe={"targets": "soft"})
    modelled = dataclasses.replace(plain, metrics={"confusions": [[[1.0, 0.0], [0.0, 1.0]], [[0.8, 0.2], [0.0, 1.0]]]})
    assert "disagreement" not in judge(samples, differ=readers_differ(plain)).scores
    assert judge(samples, differ=readers_differ(soft)).scores["disagreement"] == pytest.approx(0.25)
    assert judge(samples, differ=readers_differ(modelled)).scores["disagreement"] == pytest.approx(0.75 * 0.2)


def test_a_strategy_of_disagreement_needs_a_model_that_knows_of_readers() -> None:
    with pytest.raises(SettingError, match="needs a model that learned how readers differ"):
        check_project_settings(with_readings(strategy="disagreement"), "segmentation")
    check_project_settings(with_readings(strategy="disagreement", **SOFT), "segmentation")
    check_project_settings(with_readings(strategy="disagreement", annotator_model="confusion"), "segmentation")
