"""Rounds of a coordinator whose sites are silent, refused and corrected; the app runs by itself in Flower's environment."""

import json
import subprocess
from pathlib import Path

import numpy as np

from medloop.models.exchange.flower_side.updates import encode_arrays

GRID = Path(__file__).with_name("flower_grid.py")
TERMS = {
    "id": "f1",
    "version": "1",
    "kind": "segmentation",
    "labels": {"a": 1},
    "channels": 1,
    "recipe_sha256": "x",
    "rounds": 2,
    "steps": 1,
    "sites": 2,
    "min_sites": 1,
    "norm_bound": 0.0,
    "wait_seconds": 2.0,
    "meet_seconds": 1.0,
}


def held(python, folder, does, **terms):
    folder.mkdir()
    (folder / "terms.json").write_text(json.dumps({**TERMS, **terms}))
    (folder / "round-0000.safetensors").write_bytes(encode_arrays({"w": np.zeros(2, dtype=np.float32)}))
    done = subprocess.run([python, GRID, folder, json.dumps(does)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((folder / "rounds.json").read_text()), (folder / "events.log").read_text().splitlines()


def test_a_silent_site_costs_one_round_its_time_and_is_waited_for_again_once_it_answers(flower, tmp_path):
    rounds, lines = held(flower, tmp_path / "f", {"north": "learns", "south": "silent", "west": "never meets"})
    first, second = rounds
    assert first["left_out"] == {"south": "no answer within 2 s"}
    assert [one["site"] for one in first["sites"]] == ["north"]
    assert {one["site"] for one in (*second["sites"], *first["sites"])} >= {"north"}
    assert "site 2 is refused: no answer within 1 s" in lines, "one that is silent holds up nobody"
    assert second["seconds"] < 2, "the next round does not wait for it"
    assert any(line.startswith("round 2 of 2: north") for line in lines)
    assert second["missing"] == ["south"] or {one["site"] for one in second["sites"]} == {"north", "south"}


def test_a_loss_that_is_no_number_is_left_out_and_reaches_no_other_site(flower, tmp_path):
    (only,), _ = held(flower, tmp_path / "f", {"north": "learns", "south": "no loss"}, rounds=1)
    assert [one["site"] for one in only["sites"]] == ["north"]
    assert only["left_out"] == {"south": "its answer cannot be read (ValueError)"}


def test_rounds_go_on_with_the_fewest_where_no_more_sites_come(flower, tmp_path):
    _, lines = held(flower, tmp_path / "f", {"north": "learns"}, sites=3)
    assert "goes on with 1 of 3 sites, no more came within 2 s" in lines


def test_a_site_that_was_refused_comes_back_with_its_fault_corrected(flower, tmp_path):
    rounds, lines = held(flower, tmp_path / "f", {"north": "corrected"}, sites=1, rounds=1)
    assert sum("is refused: the labels" in line for line in lines) == 1
    assert "north takes part with 4 annotated cases" in lines
    assert [one["site"] for one in rounds[0]["sites"]] == ["north"]
