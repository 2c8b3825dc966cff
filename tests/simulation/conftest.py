"""One small study, run once for all tests that look at it."""

from pathlib import Path

import pytest

from medloop.simulation.results import StudyResult
from medloop.simulation.runs import run_study

from .phantom_data import slices, small_design


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory) -> Path:
    return slices(tmp_path_factory.mktemp("phantoms") / "slices")


@pytest.fixture(scope="session")
def finished(phantoms, tmp_path_factory) -> tuple[Path, StudyResult]:
    """A study's folder and result: random and entropy, one seed, two rounds, one process."""
    out = tmp_path_factory.mktemp("study") / "out"
    return out, run_study(small_design(phantoms), out)
