from dataclasses import replace

import numpy as np
import pytest

from medloop.core.errors import InputError
from medloop.core.records import Project, ProjectSettings, now
from medloop.store.rows import from_row, kind_of, to_row
from medloop.store.store import Store
from tests.store import samples

EVERY_RECORD = [
    samples.TASK,
    samples.PROJECT,
    samples.annotator(),
    samples.case(),
    samples.snapshot(),
    samples.model(),
    samples.prediction("a"),
    samples.query("a"),
    samples.first_round(),
    samples.assignment(),
    samples.patch(1),
    samples.prompt(1),
    samples.annotation(),
    samples.withdrawal(),
    samples.effort(),
    samples.review(),
    samples.consensus(),
    samples.routed(),
    samples.measurement(),
    samples.gold(),
    samples.gold_reading(),
    samples.assignee(),
    samples.provenance(),
    samples.evaluation(),
]


def test_every_record_comes_back_from_the_database_as_it_went_in(store: Store) -> None:
    with store.write("me") as tx:
        for record in EVERY_RECORD:
            tx.add(record)
    with store.read() as tx:
        for record in EVERY_RECORD:
            back = tx.get(type(record), record.id)
            assert to_row(back) == to_row(record)
            assert type(back) is type(record)


def test_a_grid_keeps_every_bit_of_its_affine(store: Store) -> None:
    given = samples.case()
    with store.write("me") as tx:
        tx.add(given)
        back = tx.get(type(given), given.id)
    assert back.grid.affine.tobytes() == given.grid.affine.tobytes()
    assert back.grid.shape == given.grid.shape


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused_by_name(score: float) -> None:
    with pytest.raises(InputError, match=r"Prediction.scores\['entropy'\] must be finite"):
        to_row(samples.prediction("a", entropy=score))


def test_text_that_postgresql_cannot_hold_is_refused_everywhere() -> None:
    with pytest.raises(InputError, match=r"Project.name is not valid text"):
        to_row(Project(id="p", name="a\x00b", task_id="t", settings=samples.PROJECT.settings, created_at=now()))


def test_numpy_numbers_become_plain_ones() -> None:
    row = to_row(samples.prediction("a", entropy=np.float32(0.5), quality=np.float64(0.25)))  # type: ignore[arg-type]
    assert type(row["scores"]["entropy"]) is float
    assert type(row["quality"]) is float


def test_whole_numbers_in_float_fields_have_the_digest_of_the_stored_float() -> None:
    made = to_row(samples.prediction("a", quality=1))
    assert to_row(from_row(kind_of(type(samples.prediction("a"))), made)) == made
    assert type(made["quality"]) is float


def test_a_type_without_a_table_is_refused() -> None:
    with pytest.raises(InputError, match="keeps no 'int'"):
        kind_of(int)


def test_fields_added_later_leave_the_rows_and_digests_of_before_as_they_are() -> None:
    choices = to_row(samples.query("a"))["choices"]
    assert set(choices[0]) == {"case_id", "score", "reason"}
    settings = to_row(samples.PROJECT)["settings"]
    assert not {"unlabelled", "budget_labels", "budget_minutes", "budget_money", "target_score"} & set(settings)
    known = kind_of(Project)
    assert from_row(known, to_row(samples.PROJECT)).settings == samples.PROJECT.settings


def test_fields_added_later_come_back_when_they_are_set(store: Store) -> None:
    query = samples.query("a")
    drawn = replace(query, choices=(replace(query.choices[0], probability=0.25),))
    project = replace(samples.PROJECT, settings=ProjectSettings(budget_minutes=60.0, target_score=0.8))
    with store.write("me") as tx:
        for record in (samples.TASK, project, drawn):
            tx.add(record)
        assert tx.get(type(query), query.id).choices[0].probability == 0.25
        assert tx.get(Project, project.id).settings.budget_minutes == 60.0
