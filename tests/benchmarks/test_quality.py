"""The parts of the quality benchmark that could cheat: divisions of patients, corruptions, and what is fitted where."""

import sys
from pathlib import Path

import numpy as np
import pytest

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.datasets.dataset import CaseSource

FOLDER = str(Path(__file__).parents[2] / "benchmarks")


@pytest.fixture(autouse=True)
def benchmarks_importable(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    yield
    for name in ("quality_cases", "quality_figures", "full_data"):
        sys.modules.pop(name, None)


def seen_cases(patients: int, *, noise: float):
    """Clean and corrupted versions whose only sign is the true Dice with noise."""
    from quality_cases import Seen

    rng = np.random.default_rng(0)
    rows = (rng.integers(0, 2, 40), rng.dirichlet((1, 1), 40).astype(np.float32))
    return [
        Seen(f"case{n}", f"patient{n}", corrupted, {"sign": truth + noise * rng.normal()}, (truth, truth), truth, rows, rows)
        for n in range(patients)
        for corrupted in (False, True)
        for truth in [float(rng.uniform(0.3, 0.9))]
    ]


def test_no_patient_is_in_two_parts():
    from quality_cases import split_parts

    cases = [CaseSource(name=f"c{n}", images=(Path("x"),), patient=f"p{n // 3}") for n in range(60)]
    parts = split_parts(cases, 0, training=4, held_out=9)
    patients = [{c.patient for c in part} for part in (parts.first, parts.second, parts.held_out)]
    assert [len(p) for p in patients] == [4, 4, 9]
    assert len(set.union(*patients)) == 17


def test_both_versions_of_a_case_are_always_on_the_same_side():
    from quality_figures import patient_parts

    seen = seen_cases(20, noise=0.1)
    parts = patient_parts(seen, np.random.default_rng(1))
    assert sorted(np.concatenate(parts).tolist()) == list(range(40))
    sides = [{seen[n].patient for n in part} for part in parts]
    assert sum(map(len, sides)) == 20


def test_a_corrupted_image_keeps_its_grid_and_repeats():
    from quality_cases import corrupt

    array = np.random.default_rng(0).integers(0, 255, (1, 12, 10, 1)).astype(np.uint8)
    image = Image(array, Grid.of_spacing((12, 10, 1), (1.0, 1.0, 1.0)))
    for seed in range(6):
        found, again = (corrupt(image, np.random.default_rng(seed), 1.0) for _ in range(2))
        milder = corrupt(image, np.random.default_rng(seed), 0.2)
        assert found.grid == image.grid
        assert (found.array == again.array).all()
        assert np.isfinite(found.array).all()
        assert not np.allclose(found.array, array)
        assert np.abs(milder.array - array).mean() < np.abs(found.array - array).mean()


def test_a_sign_that_is_the_truth_gives_perfect_figures_and_noise_does_not():
    from quality_figures import predicted_dice, ranking

    perfect = predicted_dice(seen_cases(40, noise=0.0), 0, repeats=1, trees=0)["ways"]["sign"]
    assert perfect["mae"][0] == pytest.approx(0.0, abs=1e-9)
    assert perfect["triage"][0] == 1.0
    blurred = predicted_dice(seen_cases(40, noise=0.1), 0, repeats=1, trees=0)
    assert 0.03 < blurred["ways"]["sign"]["mae"][0] < 0.15
    assert blurred["deferral"]["accepted_and_bad"][0] <= 0.25
    table = ranking(seen_cases(40, noise=0.0))
    assert table["sign"]["excess_aurc"] == pytest.approx(0.0)
    assert table["random"]["aurc"] > table["sign"]["aurc"]
