"""Designs: checked when made, exact in JSON, units in order."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import NotFoundError, SettingError
from medloop.simulation.design import FULL, SHARED, StudyDesign, Unit, units

PLAIN = StudyDesign(dataset="d", strategies=("random", "bald"), seeds=(0, 1), start=4, batch=2, rounds=3)


def test_a_design_survives_json():
    assert StudyDesign.from_json(PLAIN.to_json()) == PLAIN


def test_an_unknown_setting_is_named():
    with pytest.raises(SettingError, match="no setting 'colour'"):
        StudyDesign.from_json({**PLAIN.to_json(), "colour": 1})
    with pytest.raises(SettingError, match="Not a study"):
        StudyDesign.from_json({"strategies": ["random"]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ()}, "at least one of strategies"),
        ({"seeds": (1, 1)}, "each once"),
        ({"start": 1}, "start must lie between 2"),
        ({"samples": 0}, "samples must lie"),
        ({"tag_error": 1.5}, "tag_error must lie between 0 and 1, got 1.5"),
        ({"steps": "many"}, "steps must be a whole number, got 'many'"),
        ({"steps": 2.5}, "steps must be a whole number, got 2.5"),
        ({"warm_start": 1}, "warm_start must be text, got 1"),
        ({"warm_start": "sometimes"}, "warm_start must be one of scratch, all, .*got 'sometimes'"),
        ({"seeds": (0, "1")}, "seeds must be a list of whole numbers"),
        ({"strategies": "random"}, "strategies must be a list of names"),
        ({"test_fraction": 0.6, "validation_fraction": 0.4}, "must leave patients to query, got 0.6 and 0.4"),
        ({"start_strategy": "entropy"}, "start_strategy must need no predictions, got 'entropy'"),
    ],
)
def test_values_outside_their_range_are_refused(changes, message):
    with pytest.raises(SettingError, match=message):
        StudyDesign(**{"dataset": "d", "strategies": ("random",), **changes})


def test_an_unknown_strategy_is_refused_before_anything_runs():
    with pytest.raises(NotFoundError, match="Unknown strategy 'psychic'"):
        StudyDesign(dataset="d", strategies=("psychic",))


def test_whole_numbers_may_stand_for_others():
    assert StudyDesign(dataset="d", strategies=("random",), minutes=2).minutes == 2


def test_baselines_are_added_unless_only_is_said():
    assert PLAIN.completed("segmentation").strategies == ("foreground", "random", "bald")
    assert PLAIN.completed("classification") == PLAIN
    assert StudyDesign(dataset="d", strategies=("bald",)).completed("segmentation").strategies == ("random", "foreground", "bald")
    assert StudyDesign(dataset="d", strategies=("bald",), only=True).completed("segmentation").strategies == ("bald",)


def test_a_design_of_an_older_version_is_still_read():
    old = {"dataset": "d", "strategies": ["random"], "seeds": [0], "start": 4, "batch": 2, "rounds": 3, "steps": 5}
    assert StudyDesign.from_json(old).validation_fraction == 0


def test_answers_grow_by_a_batch_per_round():
    assert PLAIN.labelled == (4, 6, 8)


def test_all_strategies_of_a_seed_share_one_first_round():
    every = units(PLAIN)
    assert [u for u in every if u.round == 1] == [Unit(0, SHARED, 1), Unit(1, SHARED, 1), Unit(0, FULL, 1), Unit(1, FULL, 1)]
    assert Unit(0, "bald", 2).needs() == Unit(0, SHARED, 1)
    assert Unit(0, "bald", 3).needs() == Unit(0, "bald", 2)


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([("random",), ("random", "entropy", "bald")]))
def test_every_unit_comes_once_and_after_the_one_it_needs(seeds, rounds, names):
    every = units(StudyDesign(dataset="d", strategies=names, seeds=tuple(range(seeds)), rounds=rounds))
    assert len(set(every)) == len(every) == seeds * (2 + len(names) * (rounds - 1))
    place = {unit: n for n, unit in enumerate(every)}
    assert all(place[needed] < place[u] for u in every if (needed := u.needs()) is not None)


def test_no_two_units_share_a_result_file():
    files = [u.result_file(Path("out")) for u in units(PLAIN)]
    assert len(set(files)) == len(files)


def test_settings_may_be_named_as_projects_name_them():
    named = {"dataset": "d", "strategies": ["random"], "batch_size": 2, "start_size": 4, "train_steps": 5, "first_strategy": "typiclust"}
    design = StudyDesign.from_json(named)
    assert (design.batch, design.start, design.steps, design.start_strategy) == (2, 4, 5, "typiclust")
    with pytest.raises(SettingError, match="batch must be given once"):
        StudyDesign.from_json({**named, "batch": 3})
