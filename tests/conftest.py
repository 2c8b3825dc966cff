"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images: MEDLOOP_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("MEDLOOP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data: {folder} is not a folder; set MEDLOOP_DATA")
    return folder
