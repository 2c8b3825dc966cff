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
    ],
)
def test_values_outside_their_range_are_refused(changes, message):
    with pytest.raises(SettingError, match=message):
        StudyDesign(**{"dataset": "d", "strategies": ("random",), **changes})


def test_an_unknown_strategy_is_refused_before_anything_runs():
    with pytest.raises(NotFoundError, match="Unknown strategy 'psychic'"):
        StudyDesign(dataset="d", strategies=("psychic",))


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
