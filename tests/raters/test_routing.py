"""Who should read a case next, checked by hand: skill, expected quality, sets of readers, relabel or new."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError
from medloop.raters import (
    CaseReader,
    ClassScale,
    MaskScale,
    Standing,
    best_plan,
    classes_standing,
    estimate_skill,
    masks_standing,
    no_surer_than,
    relabel_score,
)

UNREAD = masks_standing([])
NOVICES = [CaseReader(f"novice-{n}", 0.75, 0.2) for n in range(3)]
EXPERT = CaseReader("expert", 0.9, 1.0)
CONSULTANT = CaseReader("consultant", 0.95, 3.0)


def plan(standing: Standing, readers: list[CaseReader], *, most: int = 3, worth: float = 10.0, enough: float = 0.9) -> tuple[str, ...]:
    found = best_plan(standing, readers, MaskScale(), most=most, worth=worth, enough=enough)
    return found.readers if found else ()


def test_a_skill_begins_at_what_the_expertise_says_and_follows_what_is_shown() -> None:
    assert estimate_skill("novice").value == 0.75
    assert estimate_skill("novice").value < estimate_skill("expert").value < estimate_skill("consultant").value
    shown = estimate_skill("novice", gold=[1.0] * 4)
    assert shown.value == pytest.approx((0.75 * 4 + 4) / 8)
    assert (shown.gold, shown.shared) == (4, 0)
    assert shown.low < shown.value < shown.high
    assert shown.high - shown.low < estimate_skill("novice").high - estimate_skill("novice").low


def test_agreement_with_a_consensus_counts_half_of_a_gold_case() -> None:
    assert estimate_skill("expert", shared=[0.0, 0.0]).value == pytest.approx(estimate_skill("expert", gold=[0.0]).value)


def test_a_mask_tells_more_of_a_skill_than_a_class_does() -> None:
    masks, classes = (estimate_skill("novice", gold=[0.95] * 3, spread=spread) for spread in (0.1, None))
    assert classes.value == pytest.approx((0.75 * 4 + 0.95 * 3) / 7)
    assert masks.value == pytest.approx((0.75 * 4 + 18.75 * 0.95 * 3) / (4 + 18.75 * 3)), "0.75 · 0.25 / 0.1² = 18.75 cases each"
    assert masks.high - masks.low < classes.high - classes.low
    as_spread_as_classes = estimate_skill("novice", gold=[0.95], shared=[0.6], spread=(0.75 * 0.25) ** 0.5)
    assert as_spread_as_classes.value == pytest.approx(estimate_skill("novice", gold=[0.95], shared=[0.6]).value)
    with pytest.raises(SettingError, match="spread of a person's scores must lie above 0, got 0"):
        estimate_skill("novice", spread=0)


def test_a_case_is_no_surer_than_its_own_fusion_whoever_read_it() -> None:
    sure = masks_standing([0.9, 0.9])
    found = no_surer_than(sure, MaskScale(), 0.15)
    assert found.quality == pytest.approx(0.85)
    assert MaskScale().quality(np.array(found.weight), found.spread) == pytest.approx(0.85)
    assert no_surer_than(sure, MaskScale(), 0.01) == no_surer_than(sure, MaskScale(), None) == sure
    unread = masks_standing([])
    assert no_surer_than(unread, MaskScale(), 1.0) == unread


@given(st.floats(0.1, 0.98), st.floats(0.0, 1.0), st.integers(2, 6))
def test_being_less_sure_never_raises_quality_or_weight(skill: float, error: float, classes: int) -> None:
    for scale, standing in ((MaskScale(), masks_standing([skill, skill])), (ClassScale(classes), classes_standing([1], [skill], classes))):
        found = no_surer_than(standing, scale, error)
        assert found.quality <= standing.quality
        assert 0 <= found.weight <= standing.weight
        assert found.quality <= max(1.0 - error, 0.0) or standing.weight == 0


@pytest.mark.parametrize("skill", [0.3, 0.75, 0.9, 0.95])
def test_one_reading_is_worth_its_readers_skill(skill: float) -> None:
    assert masks_standing([skill]).quality == pytest.approx(skill)
    assert classes_standing([1], [skill], 4).quality == pytest.approx(max(skill, 0.25))


def test_errors_of_independent_masks_average() -> None:
    assert masks_standing([0.8, 0.8]).quality == pytest.approx(1 - 1 / np.sqrt(49))


def test_readers_who_agree_are_believed_more_and_one_who_is_far_off_is_believed_less() -> None:
    usual, close, far = masks_standing([0.75, 0.75]), masks_standing([0.75, 0.75], [0.97, 0.97]), masks_standing([0.75, 0.75], [0.6, 0.6])
    assert far.quality < usual.quality < close.quality
    outvoted = masks_standing([0.9, 0.9, 0.9], [0.93, 0.92, 0.1])
    assert outvoted.quality > masks_standing([0.9, 0.9], [0.5, 0.5]).quality


def test_two_of_a_kind_outweigh_one_and_equals_leave_it_open() -> None:
    assert classes_standing([0, 0, 1], [0.8, 0.8, 0.8], 2).quality == pytest.approx(0.8)
    assert classes_standing([0, 1], [0.8, 0.8], 2).quality == pytest.approx(0.5)
    assert classes_standing([], [], 3).quality == pytest.approx(1 / 3)


def test_somebody_below_chance_adds_nothing() -> None:
    assert ClassScale(2).weight(0.4) == 0.0
    assert classes_standing([0, 1], [0.9, 0.1], 2).quality == pytest.approx(0.9)
    assert MaskScale().weight(0.0) == 0.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 60.0), st.integers(2, 6))
def test_another_reading_never_lowers_what_is_expected(skill: float, weight: float, classes: int) -> None:
    for scale in (MaskScale(), ClassScale(classes)):
        now, then = scale.quality(np.array([weight, weight + scale.weight(skill)]), 1.0)
        assert 0.0 <= now <= then <= 1.0


def test_cheap_readers_do_what_they_can_and_dear_ones_what_is_left() -> None:
    assert plan(UNREAD, [*NOVICES, CONSULTANT], enough=0.8) == ("novice-0", "novice-1")
    assert plan(UNREAD, [*NOVICES, EXPERT], enough=0.9) == ("expert",)
    doubtful = masks_standing([0.75, 0.75], [0.5, 0.5])
    assert "consultant" in plan(doubtful, [CONSULTANT], most=1, worth=20.0)


def test_a_case_that_is_good_enough_gets_no_reader() -> None:
    assert plan(masks_standing([0.9]), [EXPERT, *NOVICES]) == ()
    assert plan(UNREAD, [EXPERT], most=0) == ()
    assert plan(UNREAD, []) == ()


def test_a_reading_that_costs_more_than_it_is_worth_is_not_planned() -> None:
    assert plan(UNREAD, [CONSULTANT], worth=3.0) == ()
    assert plan(UNREAD, [CONSULTANT], worth=4.0) == ("consultant",)


def test_readings_that_cost_nothing_are_weighed_too() -> None:
    free = [CaseReader("a", 0.7, 0.0), CaseReader("b", 0.7, 0.0)]
    assert plan(UNREAD, free) == ("a", "b")
    assert plan(UNREAD, free, worth=0.0) == ()


def test_a_reader_without_skill_is_in_no_plan() -> None:
    assert plan(UNREAD, [CaseReader("random", 0.0, 0.0), EXPERT]) == ("expert",)


def test_only_so_many_more_readings_are_planned_as_a_case_may_get() -> None:
    assert len(plan(UNREAD, NOVICES, most=2)) == 2


def test_the_best_set_of_many_people_is_found_as_among_few() -> None:
    crowd = [CaseReader(f"weak-{n}", 0.3, 5.0) for n in range(40)]
    assert plan(UNREAD, [*crowd, EXPERT]) == ("expert",)


def test_whoever_is_free_reads_in_place_of_somebody_hardly_better_and_not_of_somebody_much_cheaper() -> None:
    quick, slow = CaseReader("quick", 0.9, 1.0), CaseReader("slow", 0.9, 1.2)

    def preferring(name: str, *readers: CaseReader) -> tuple[str, ...]:
        found = best_plan(UNREAD, readers, MaskScale(), most=1, worth=50.0, enough=0.9, preferred=name)
        return found.readers if found else ()

    assert preferring("slow", quick, slow) == ("slow",)
    assert preferring("", quick, slow) == preferring("nobody", quick, slow) == ("quick",)
    assert preferring("consultant", quick, CONSULTANT) == ("quick",)


def test_a_cost_that_is_no_cost_is_refused() -> None:
    with pytest.raises(InputError, match="must cost 0 or more, got -1"):
        plan(UNREAD, [CaseReader("a", 0.9, -1.0)])


def test_a_case_read_with_doubt_comes_before_a_new_one_that_the_model_is_sure_of_and_after_one_it_is_not() -> None:
    doubtful = relabel_score(model=None, readers=[(0.9, 0.4), (0.9, 0.4)], typical_skill=0.9, chance=0.0)
    sure_of = relabel_score(model=0.95, readers=[], typical_skill=0.9, chance=0.0)
    unsure_of = relabel_score(model=0.3, readers=[], typical_skill=0.9, chance=0.0)
    nothing_known = relabel_score(model=None, readers=[], typical_skill=0.9, chance=0.0)
    assert nothing_known < unsure_of < doubtful < sure_of


def test_the_score_by_hand() -> None:
    found = relabel_score(model=0.6, readers=[(0.8, 1.0)], typical_skill=0.8, chance=0.5, readings_per_case=4.0)
    assert found == pytest.approx((0.6 * 0.5 + 0.6 * 2 * 0.6 + 0.6 * 0.8) / (0.6 * 4))
    assert relabel_score(model=None, readers=[], typical_skill=0.5, chance=0.5) == 0.5
