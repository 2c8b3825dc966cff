import dataclasses
import math

import pytest

from medloop.core.errors import SettingError
from medloop.core.settings import SETTINGS, ProjectSettings, changed_settings, check_settings, setting_named


@pytest.mark.parametrize("name", SETTINGS)
def test_every_default_is_allowed_and_reads_back_as_written(name: str):
    declared = SETTINGS[name]
    declared.check(declared.default)
    assert declared.parse(declared.write(declared.default)) == declared.default
    assert declared.help.endswith(".")


ALLOWING = ProjectSettings(warm_start="replay", release="gate")
"""Without these, what keeps the model before and what tries candidates is refused above zero."""

BESIDE = {"stream_good": {"stream_hard": 0.0}, "stream_hard": {"stream_good": 1.0}}
"""What must be set as well, so that both ends of a range are allowed."""


@pytest.mark.parametrize("name", [n for n, s in SETTINGS.items() if math.isfinite(s.high)])
def test_a_value_just_outside_its_range_is_refused_by_name(name: str):
    declared = SETTINGS[name]
    for value in (declared.low, declared.high):
        check_settings(dataclasses.replace(ALLOWING, **BESIDE.get(name, {}), **{name: declared.kind(value)}))
    step = 1 if declared.kind is int else 0.001 * max(1.0, abs(declared.high))
    for value in (declared.low - step, declared.high + step):
        with pytest.raises(SettingError, match=name):
            check_settings(dataclasses.replace(ALLOWING, **{name: declared.kind(value)}))


@pytest.mark.parametrize("value", [math.nan, math.inf, "4", True, None])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(SettingError, match="batch_size"):
        changed_settings(ProjectSettings(), {"batch_size": value})
    with pytest.raises(SettingError, match="target_score"):
        changed_settings(ProjectSettings(), {"target_score": value})


def test_settings_are_known_by_name_and_by_flag():
    assert setting_named("--batch") is setting_named("batch") is setting_named("batch_size")
    assert setting_named("train-minutes") is setting_named("--minutes")
    with pytest.raises(SettingError, match="medloop configure lists all"):
        setting_named("bacth")
    with pytest.raises(SettingError) as refused:
        setting_named("right_reason")
    assert refused.value.remedy == "use explanation_penalty; medloop configure lists all"


@pytest.mark.parametrize(
    ("older", "today", "value"),
    [("summed", "aggregation", "top"), ("guided", "interactive_network", True), ("right_reasons", "explanation_penalty", 30.0)],
)
def test_a_setting_is_known_by_its_older_name_everywhere(older: str, today: str, value: str | bool | float):
    assert setting_named(older) is setting_named(f"--{older.replace('_', '-')}") is SETTINGS[today]
    wanted = dataclasses.replace(ProjectSettings(), **{today: value})
    assert ProjectSettings(**{older: value}) == ProjectSettings(**{older: value, today: value}) == wanted
    assert changed_settings(ProjectSettings(), {older: value}) == wanted
    assert older not in dataclasses.asdict(wanted)


@pytest.mark.parametrize("given", [{"guided": True, "interactive_network": False}, {"interactive_network": False, "guided": True}])
def test_two_names_of_one_setting_with_different_values_are_refused(given: dict[str, bool]):
    for refused in (lambda: ProjectSettings(**given), lambda: changed_settings(ProjectSettings(), given)):
        with pytest.raises(SettingError, match="interactive_network must be given once"):
            refused()


def test_flags_are_told_apart():
    assert len({s.flag for s in SETTINGS.values()}) == len(SETTINGS)


def test_whole_numbers_become_fractions_where_these_are_meant():
    changed = changed_settings(ProjectSettings(), {"target_score": 1})
    assert isinstance(changed.target_score, float)


def test_the_seed_is_decided_at_the_beginning():
    with pytest.raises(SettingError, match="seed is decided when a project is made"):
        changed_settings(ProjectSettings(), {"seed": 1})
    assert changed_settings(ProjectSettings(), {"seed": 0}) == ProjectSettings()
    assert changed_settings(ProjectSettings(), {"seed": 1}, making=True).seed == 1


@pytest.mark.parametrize("digits", [20, 400])
def test_a_number_that_no_float_can_hold_is_refused_in_words(digits: int):
    with pytest.raises(SettingError, match="batch_size must lie between 1 and 10000"):
        changed_settings(ProjectSettings(), {"batch_size": 10**digits})
    with pytest.raises(SettingError, match="train_minutes must lie"):
        setting_named("minutes").check(-(10**digits))
    with pytest.raises(SettingError, match="seed must lie"):
        setting_named("seed").parse("1" + "0" * digits)


def test_one_setting_given_by_two_names_is_refused_and_not_chosen_in_silence():
    with pytest.raises(SettingError, match="batch_size must be given once, got 'batch' and 'batch_size'"):
        changed_settings(ProjectSettings(), {"batch": 3, "batch_size": 4})


@pytest.mark.parametrize("value", [0.1234567, 1 / 3, 0.1, 1e-9, 123456789.25])
def test_a_number_is_written_with_all_its_digits(value: float):
    declared = SETTINGS["budget_money"]
    assert declared.parse(declared.write(value)) == value


def test_a_message_repeats_no_endless_text():
    for refused in (lambda: SETTINGS["strategy"].check("x" * 100_000), lambda: SETTINGS["batch_size"].parse("9" * 5000)):
        with pytest.raises(SettingError) as error:
            refused()
        assert len(str(error.value)) < 250


def test_shares_that_leave_nothing_to_train_on_are_refused_when_they_are_set_not_at_the_next_import():
    with pytest.raises(SettingError, match="leave cases to train"):
        check_settings(ProjectSettings(validation_fraction=0.5, test_fraction=0.8))
    check_settings(ProjectSettings(validation_fraction=0.1, test_fraction=0.8))


def test_an_ensemble_as_the_source_of_uncertainty_needs_members() -> None:
    with pytest.raises(SettingError, match="needs members of 2 or more, got 1"):
        check_settings(ProjectSettings(uncertainty_source="ensemble"))
    check_settings(ProjectSettings(uncertainty_source="ensemble", members=2))
