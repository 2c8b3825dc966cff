"""Cases of another scanner: what triage promises of them, and what the drift report says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from medloop.core.errors import InputError, SettingError
from medloop.core.records import Case, Descriptor
from medloop.loop.annotating.annotations import choose_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.domain import Described, known_domain
from medloop.loop.judging.drift import apart, drift_report, permutations_of
from medloop.loop.judging.drift_groups import drifted_group, remember_drifted
from medloop.loop.judging.triage import Triage, triage_pool
from medloop.loop.judging.trust import pool_standings
from medloop.loop.overview.case_outlook import case_outlook
from medloop.metrics.drift import LEVEL
from medloop.metrics.two_sample import holm

from .conftest import FAST
from .shifted import add_pool, add_scan, judged_model

Shifted: TypeAlias = tuple[Workspace, dict[str, float]]


@pytest.fixture
def workspace(tmp_path: Path):
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["organ"], settings=FAST) as found:
        yield found


@pytest.fixture(scope="module")
def two_scanners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, dict[str, float]]]:
    """A judged model, and a pool of which scanner A is as usual, on B the organ is dark, and C shows it a little paler."""
    folder = tmp_path_factory.mktemp("two_scanners") / "p"
    with Workspace.create(folder, name="p", kind="segmentation", labels=["organ"], settings=FAST) as found:
        model = judged_model(found)
        truth = add_pool(found, model, range(100, 110))
        truth |= add_pool(found, model, range(200, 206), contrast=-60.0, scanner="B")  # too few for a verdict about their group
        yield found, truth | add_pool(found, model, range(300, 309), contrast=45.0, scanner="C")


def bad_accepted(found: Triage, truth: dict[str, float]) -> float:
    """Share of all cases that are accepted though their Dice is below `good`: what the risk bounds."""
    return sum(c.decision == "accept" and truth[c.name] < found.good for c in found.cases) / len(found.cases)


def test_without_the_check_cases_of_another_contrast_break_the_risk_and_with_it_they_are_refused(two_scanners: Shifted) -> None:
    workspace, truth = two_scanners
    unchecked, checked = triage_pool(workspace, risk=0.1, check="none"), triage_pool(workspace, risk=0.1)
    assert bad_accepted(unchecked, truth) > 0.2
    assert bad_accepted(checked, truth) <= 0.1
    decisions = {c.name: c for c in checked.cases}
    assert all(decisions[name].outside and decisions[name].decision != "accept" for name in truth if name.startswith("B"))
    assert "unlike the cases that the model was judged on" in decisions["B200"].reason
    assert sum(decisions[name].decision == "accept" for name in truth if name.startswith("A")) >= 8
    assert "drawn like the evaluated ones" in checked.promise
    assert "switched off" in unchecked.promise


def test_a_group_that_drifted_is_refused_as_a_whole_and_the_other_goes_on(two_scanners: Shifted) -> None:
    workspace, _ = two_scanners
    found = triage_pool(workspace, risk=0.1)
    assert not any(c.decision == "accept" for c in found.cases if c.name.startswith("C"))
    assert len(found.drifted) == 1
    assert found.drifted[0].startswith("scanner C is refused as a whole")
    groups = {one.group: one for one in drift_report(workspace).groups}
    assert [groups[f"scanner {name}"].verdict for name in "ABC"] == ["none shown", "too few", "drift"]
    assert groups["scanner A"].reference == "evaluated patients of scanner A"
    with workspace.store.read() as tx:
        model, cases = tx.live_model(), {case.name: case for case in tx.find(Case)}
    assert model is not None
    assert drifted_group(workspace, model, cases["A100"]) == ""
    assert drifted_group(workspace, model, cases["C300"]).startswith("scanner C drifted (")
    assert drifted_group(workspace, replace(model, id="another"), cases["C300"]) == ""
    remember_drifted(workspace, model, "scanner", ["scanner A"])  # as an inside case of a group that drifted: all of C are outside
    inside = max((c for c in found.cases if c.name.startswith("A")), key=lambda c: c.domain_p or 0.0).name
    opened = choose_case(workspace, cases[inside].id, annotator_named(workspace, "Ann").id)
    assert "scanner A drifted" in case_outlook(workspace, opened.assignment.id).verdict


def test_the_list_knows_how_every_unlabelled_case_stands(two_scanners: Shifted) -> None:
    workspace, truth = two_scanners
    found = pool_standings(workspace)
    with workspace.store.read() as tx:
        names = {case.id: case.name for case in tx.find(Case, where={"id": list(found)})}
    assert set(names.values()) == set(truth)
    assert {names[i] for i, one in found.items() if one.outside} >= {f"B{n}" for n in range(200, 206)}


def test_three_cases_get_no_verdict_and_are_told_so(workspace: Workspace) -> None:
    model = judged_model(workspace)
    add_pool(workspace, model, range(200, 203), contrast=-60.0, scanner="B")
    (group,) = drift_report(workspace).groups
    assert (group.verdict, group.tests, group.outside) == ("too few", (), 3)
    assert group.meaning == "no verdict: 3 patients, at least 8 needed"


def test_with_too_few_evaluated_patients_nothing_is_said_of_single_cases_and_triage_says_so(workspace: Workspace) -> None:
    model = judged_model(workspace, evaluated=5)
    add_pool(workspace, model, range(100, 110))
    assert "needs 8 evaluated patients" in drift_report(workspace).note
    found = triage_pool(workspace, risk=0.4)
    assert (found.checked, {c.domain_p for c in found.cases}) == (False, {None})
    assert "no case was compared" in found.promise
    assert pool_standings(workspace) == {}


def test_a_model_from_elsewhere_has_no_training_cases_and_is_compared_by_its_evaluated_ones(workspace: Workspace) -> None:
    model = judged_model(workspace, training=0)
    add_pool(workspace, model, range(100, 104))
    add_pool(workspace, model, range(200, 204), contrast=-60.0, scanner="B")
    outside = {c.name for c in drift_report(workspace).cases if c.outside}
    assert outside >= {f"B{n}" for n in range(200, 204)}
    assert len(outside) <= 5


def test_images_are_looked_at_once_and_the_same_project_says_the_same_again(workspace: Workspace) -> None:
    model = judged_model(workspace)
    add_pool(workspace, model, range(100, 110))
    first = drift_report(workspace, by="all")
    with workspace.store.read() as tx:
        kept = len(tx.find(Descriptor))
    assert (first, kept) == (drift_report(workspace, by="all"), 46)


def test_a_look_reads_a_bounded_number_of_images_and_says_how_many_are_left(workspace: Workspace) -> None:
    model = judged_model(workspace)
    add_pool(workspace, model, range(100, 110))
    looks = [drift_report(workspace, by="all", most=4) for _ in range(4)]
    assert [look.unread for look in looks] == [6, 2, 0, 0]
    assert {look.unpredicted for look in looks} == {0}
    assert drift_report(workspace, by="all").unread == 0


@pytest.mark.parametrize(("count", "known", "both", "sides"), [(9, 24, 6, (9, 18)), (12, 9, 2, (10, 9)), (9, 9, 6, (9, 3))])
def test_patients_on_both_sides_are_taken_from_the_side_that_can_spare_them(
    workspace: Workspace, count: int, known: int, both: int, sides: tuple[int, int]
) -> None:
    case = add_scan(workspace, 0, "train")

    def side(patients: range) -> Described:
        cases = tuple(replace(case, id=f"{n} of {patients.start}", patient=str(n)) for n in patients)
        return Described(cases, np.zeros((len(cases), 1)), np.zeros((len(cases), 18)))

    new, reference, words = apart(side(range(count)), side(range(count - both, count - both + known)))
    assert not set(new.patients) & set(reference.patients)
    assert (len(new), len(reference)) == sides
    assert bool(words) == (len(new) < count)


def test_odd_wishes_are_refused_in_one_line(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="needs a model"):
        drift_report(workspace)
    model = judged_model(workspace)
    with pytest.raises(InputError, match="needs unlabelled cases, got none"):
        drift_report(workspace)
    add_pool(workspace, model, range(100, 110))
    with pytest.raises(InputError, match="column 'colour', they have scanner"):
        drift_report(workspace, by="colour")
    with pytest.raises(SettingError, match="a day such as"):
        drift_report(workspace, since="yesterday")
    with pytest.raises(InputError, match="since 2999-01-01, got none"):
        drift_report(workspace, since="2999-01-01")


def test_cases_of_other_channels_are_not_compared_and_not_accepted(workspace: Workspace) -> None:
    model = judged_model(workspace, training=8, evaluated=10)
    add_pool(workspace, model, range(100, 101))
    add_pool(workspace, model, range(200, 202), channels=2, scanner="C")
    found = triage_pool(workspace, risk=0.2)
    assert {c.name: c.domain_p is None for c in found.cases} == {"A100": False, "C200": True, "C201": True}
    assert all(c.decision != "accept" and "not compared" in c.reason for c in found.cases if c.name.startswith("C"))
    assert [group.verdict for group in drift_report(workspace).groups] == ["too few", "too few"]


def test_a_day_before_which_nobody_was_evaluated_says_nothing_of_single_cases(workspace: Workspace) -> None:
    model = judged_model(workspace, training=8, evaluated=10)
    add_pool(workspace, model, range(100, 102))
    found = drift_report(workspace, since="2020-01-01")
    assert "needs 8 evaluated patients" in found.note
    assert (found.cases, [group.verdict for group in found.groups]) == ((), ["too few"])


def test_where_not_every_image_was_read_yet_those_of_the_evaluated_cases_come_first(workspace: Workspace) -> None:
    model = judged_model(workspace, training=12, evaluated=10)
    found = known_domain(workspace, model, most=10)
    assert (found.patients, found.note) == (10, "")


@pytest.mark.parametrize("groups", [1, 40, 300])
def test_one_group_that_drifted_still_shows_beside_many_that_did_not(workspace: Workspace, groups: int) -> None:
    case = add_scan(workspace, 0, "train")
    cases = tuple(replace(case, id=str(n), patient=str(n)) for n in range(8 * groups))
    incoming = Described(cases, np.zeros((len(cases), 1)), np.zeros((len(cases), 18)))
    permutations = permutations_of(incoming, {one.id: f"site {n // 8}" for n, one in enumerate(cases)})
    lowest = 1 / (permutations + 1)
    assert holm([lowest, *[0.5] * (4 * groups - 1)])[0] <= LEVEL
