"""A simulated team reads a data set by three policies: what is spent, what comes out, and which teams are refused."""

from pathlib import Path

import numpy as np
import pytest

from medloop.core.errors import SettingError
from medloop.metrics.overlap import dice
from medloop.simulation.outlines import Outline, draw_mask, outline_depths
from medloop.simulation.team import STANDARD, Member, read_team
from medloop.simulation.team_runs import TeamDesign, run_team

from .phantom_data import slices, tagged

SMALL_TEAM = (
    Member("Eva", "expert", 4.0, 2.0, waver=0.02),
    Member("Gil", "novice", 5.0, 0.2, waver=0.05),
    Member("Ron", "novice", 2.0, 0.2, random=True),
)


def test_outlines_err_as_they_are_said_to() -> None:
    truth = np.zeros((40, 40), dtype=np.uint8)
    truth[10:30, 10:30] = 1
    depths, rng = outline_depths(truth, [1]), np.random.default_rng(0)
    sizes = {growth: int((draw_mask(Outline(growth, 0.0), truth, [1], depths, rng) == 1).sum()) for growth in (-0.15, 0.0, 0.15)}
    assert sizes[-0.15] < sizes[0.0] == 400 < sizes[0.15]
    by_chance = draw_mask(Outline(0.0, 0.0, random=True), truth, [1], depths, rng)
    assert dice(by_chance, truth, [1])[1] < 0.6
    assert dice(draw_mask(Outline(0.0, 0.02), truth, [1], depths, rng), truth, [1])[1] > 0.9


def test_routing_reads_with_the_cheap_where_that_will_do_and_costs_are_counted(tmp_path: Path) -> None:
    design = TeamDesign(dataset=str(slices(tmp_path / "data", count=6)), team=SMALL_TEAM, cases=4, gold=1, readings=3, sure_enough=0.85)
    runs = run_team(design)
    for one in runs.values():
        assert (one.quality[0], one.money[0], one.minutes[0]) == (0.0, 0.0, 0.0)
        assert list(one.money) == sorted(one.money)
        assert one.money[-1] == pytest.approx(sum(cost for _, _, cost in one.path))
        assert len({case for case, _, _ in one.path if case}) == 4, "every case was read, and no gold case measured"
    assert len(runs["expert"].path) == 4
    assert len(runs["two"].path) == 8
    assert runs["expert"].quality[-1] > 0.85
    assert sum(not case for case, _, _ in runs["value"].path) == 2, "both novices read the gold case first"
    assert runs["value"].quality[-1] > runs["two"].quality[-1]
    assert runs["expert"].cost_to(0.99 * runs["expert"].quality[-1]) == pytest.approx(runs["expert"].money[-1])
    assert runs["two"].cost_to(1.01) is None


def test_a_team_is_read_from_a_file_and_refused_by_name_and_rule(tmp_path: Path) -> None:
    file = tmp_path / "team.toml"
    file.write_text('[Nia]\nexpertise = "novice"\nminutes = 6.0\ncost_per_minute = 0.4\ngrowth = 0.15\n')
    assert read_team(file) == (Member("Nia", "novice", 6.0, 0.4, growth=0.15),)
    for text, message in (
        ("", "has no member"),
        ("Nia = 3", "Nia is a table of"),
        ("[Nia]\nspeed = 2", "got speed"),
        ("[Nia]\nminutes = 2.0", "Nia needs expertise"),
        ('[Nia]\nexpertise = "guru"\nminutes = 1.0\ncost_per_minute = 1.0', "got 'guru'"),
        ('[Nia]\nexpertise = "novice"\nminutes = 0.0\ncost_per_minute = 1.0', "lie above 0"),
        ("[Nia", "cannot be read"),
    ):
        file.write_text(text)
        with pytest.raises(SettingError, match=message):
            read_team(file)
    assert len({one.name for one in STANDARD}) == len(STANDARD) == 7


def test_a_team_too_small_and_a_data_set_too_small_are_refused(tmp_path: Path) -> None:
    data = str(slices(tmp_path / "data", count=2))
    with pytest.raises(SettingError, match="need a team of two or more"):
        run_team(TeamDesign(dataset=data, team=SMALL_TEAM[:1]))
    with pytest.raises(SettingError, match="must be left beside 4 gold ones"):
        run_team(TeamDesign(dataset=data, team=SMALL_TEAM, gold=4))


def test_classes_are_read_and_fused_too(tmp_path: Path) -> None:
    people = (Member("Eva", "expert", 1.0, 2.0, accuracy=1.0), Member("Gil", "novice", 1.0, 0.2, accuracy=0.9))
    runs = run_team(TeamDesign(dataset=str(tagged(tmp_path / "tags", count=6)), team=people, cases=5, gold=1, readings=2))
    assert runs["expert"].quality[-1] == 1.0
    assert set(np.round(runs["value"].quality[1:], 3)) <= {0.0, 0.2, 0.4, 0.6, 0.8, 1.0}
