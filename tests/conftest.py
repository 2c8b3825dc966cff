"""Fixtures every test may use, and the rule that a skip is a failure where its tool can be installed."""

import os
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .object_storage import bucket as bucket
from .object_storage import s3_server as s3_server
from .orthanc import running_orthanc as running_orthanc
from .postgres import postgres_url as postgres_url

REPOSITORY = Path(__file__).resolve().parents[1]

settings.register_profile("medloop", deadline=None)  # a busy machine is no failure of a property
settings.load_profile("medloop")
NO_DATA = "no data"
NO_NNUNET = "no nnU-Net"
"""It needs an environment of its own, which no CPU build of torchvision fits."""
FLOWER = "MEDLOOP_FLOWER_PYTHON"


@pytest.fixture
def flower(monkeypatch: pytest.MonkeyPatch) -> str:
    """The Python of Flower's environment: the one that is named, or `.venv/flower`, which `make test` makes."""
    python = os.environ.get(FLOWER, str(REPOSITORY / ".venv" / "flower" / "bin" / "python"))
    if not Path(python).is_file():
        pytest.skip(f"no Flower: {python} is not there; make .venv/.flower makes it, or set {FLOWER}")
    monkeypatch.setenv(FLOWER, python)
    return python


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real images: MEDLOOP_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("MEDLOOP_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{NO_DATA}: {folder} is not a folder; set MEDLOOP_DATA")
    return folder


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal out tests one by one, but those of a file that share what is costly to one process; these files come first."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Together(config, log)


def group_of(nodeid: str) -> str:
    """What is run in one process: the file of a test whose fixtures are made once per file, else the test."""
    file = nodeid.partition("::")[0]
    return file if _shares(file) else nodeid


@cache
def _shares(file: str) -> bool:
    return 'scope="module"' in (REPOSITORY / file).read_text()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With MEDLOOP_NO_SKIP set, only missing real data and nnU-Net may skip a test."""
    report = yield
    if os.environ.get("MEDLOOP_NO_SKIP") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if NO_DATA not in reason and NO_NNUNET not in reason:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped, which is not allowed here: {reason}"
    return report
