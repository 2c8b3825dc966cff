"""Embeddings of a very large pool are mapped from a file: the same numbers, and nothing left behind."""

import resource

import numpy as np
import pytest

from medloop.core.errors import BlobError, StorageError
from medloop.core.records import Prediction
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying import pools
from medloop.loop.querying.mapped_features import mapped_features
from medloop.loop.querying.pools import PoolInputs, build_pool

from .conftest import MakeWorkspace
from .made_up import add_model, add_prediction, every_case


@pytest.fixture
def inputs(make_workspace: MakeWorkspace) -> PoolInputs:
    workspace = make_workspace(["train"] * 6)
    model = add_model(workspace, 1)
    for number, case in enumerate(every_case(workspace)):
        add_prediction(workspace, model, case, entropy=number / 10)
    return PoolInputs(workspace, tuple(case.name for case in every_case(workspace)), model, {}, 1, thorough=False)


def files(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.work_folder / "selection").glob("features-*"))


def test_the_pool_is_the_same_and_its_file_goes_with_it(inputs: PoolInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = build_pool(inputs, frozenset({"features"}))
    monkeypatch.setattr(pools, "MAPPED_FROM", 1)
    mapped = build_pool(inputs, frozenset({"features"}))
    assert plain is not None
    assert mapped is not None
    assert isinstance(mapped.features, np.memmap)
    assert plain.features is not None
    assert np.array_equal(mapped.features, plain.features)
    assert len(files(inputs.workspace)) == 1
    del mapped
    assert files(inputs.workspace) == []


def test_a_damaged_one_is_named_and_costs_its_case_only(inputs: PoolInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    with inputs.workspace.store.read() as tx:
        predictions = tx.find(Prediction)
    inputs.workspace.store.blobs.path(str(predictions[2].features)).write_bytes(b"gone")
    with pytest.raises(BlobError):
        mapped_features(inputs.workspace, predictions)
    assert files(inputs.workspace) == []
    monkeypatch.setattr(pools, "MAPPED_FROM", 1)
    pool = build_pool(inputs, frozenset({"features"}))
    assert pool is not None
    assert len(pool.case_ids) == 5
    assert isinstance(pool.features, np.memmap)


def test_a_full_disk_is_a_refusal_and_leaves_no_file(inputs: PoolInputs) -> None:
    """No file may be longer than so many bytes, as on a full disk; a process that wrote to mapped memory there would be killed."""
    with inputs.workspace.store.read() as tx:
        predictions = tx.find(Prediction)
    mapped_features(inputs.workspace, predictions)  # the rows it reads are there now
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, before[1]))
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            mapped_features(inputs.workspace, predictions)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(inputs.workspace) == []
