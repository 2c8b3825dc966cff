import pytest

from medloop.metrics.forgetting import GroupCases, cell, mean_of, remembering, transfers

PATIENTS = {f"a{n}": f"p{n}" for n in range(6)}


def scores(value):
    return {i: value + 0.01 * n for n, i in enumerate(PATIENTS)}


def test_a_group_that_was_forgotten_and_half_remembered_by_hand():
    group = GroupCases("A", PATIENTS, 1)
    found = transfers([scores(0.3), scores(0.8), scores(0.9), scores(0.6)], group)
    assert found.backward.mean == pytest.approx(-0.2)
    assert found.forgetting.mean == pytest.approx(0.3)  # against the best, the third
    assert found.forward.mean == pytest.approx(0.325)
    assert found.backward.groups == 6
    assert found.backward.low <= -0.2 <= found.backward.high
    assert remembering(found.backward.mean) == pytest.approx(0.8)


def test_only_shared_patients_count_and_few_of_them_have_no_interval():
    few = dict(list(scores(0.5).items())[:3])
    found = transfers([scores(0.8), few], GroupCases("A", PATIENTS, 0))
    assert found.backward.mean == pytest.approx(-0.3)
    assert (found.backward.low, found.forward) == (None, None)
    assert "3 patients, at least 5 needed" in found.backward.note
    assert cell({}, GroupCases("A", PATIENTS, 0)) is None


@pytest.mark.parametrize(("learned", "words"), [(None, "no model learned"), (1, "last model only")])
def test_what_cannot_be_said_has_a_reason(learned, words):
    found = transfers([scores(0.2), scores(0.9)], GroupCases("A", PATIENTS, learned), chance=0.1)
    assert found.backward is None
    assert words in found.note
    assert (found.forward is None) is (learned is None)
    if found.forward:
        assert found.forward.mean == pytest.approx(0.125)


def test_means_leave_out_groups_without_the_figure():
    assert mean_of([None, None]) is None
    assert remembering(None) is None
    assert remembering(0.4) == 1.0
