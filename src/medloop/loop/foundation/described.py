"""Numbers that describe cases without their annotations: computed once per case, kept in the store.

A vector is bound to its method and to what made it (weights, a model); those of different makers are never mixed.
Every few cases are one transaction, so that a killed job goes on where it was; two processes that describe the same
case keep one vector. Where the project's executor has workers, these describe the cases, and the rows are written here.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import BlobError
from medloop.core.records import Case, Descriptor, new_id, now
from medloop.loop.foundation.arrays import load_features, store_features
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.shards import FEW as FEW_TO_SEND
from medloop.loop.foundation.shards import Seen, Shared, case_tasks, each_case
from medloop.loop.foundation.workspace import Workspace
from medloop.store.blobs import Blobs

Vectors: TypeAlias = dict[str, FloatArray]
"""Case id → vector."""

Report: TypeAlias = Callable[[float, str], None]
"""Told progress 0..1 and a line; may raise to stop. `JobControl.report` is one."""

Make: TypeAlias = Callable[[Workspace, Case], FloatArray]
"""Describes a case; a function that another process finds, with what it needs bound by `functools.partial`."""

CHUNK = 16
"""Cases per transaction."""

FEW = 5000
"""Cases that are asked for by their ids: of more, every row of the method is read."""


def kept_vectors(workspace: Workspace, method: str, maker: str, cases: Sequence[Case]) -> Vectors:
    """The vectors that are there already and can be read; only reads."""
    wanted = {c.id for c in cases}
    some = {"case_id": sorted(wanted)} if len(wanted) <= FEW else {}
    with workspace.store.read() as tx:
        rows = tx.find(Descriptor, where={"method": method, "maker": maker, **some})
    found = {row.case_id: _readable(workspace.store.blobs, row.vector) for row in rows if row.case_id in wanted}
    return {case_id: vector for case_id, vector in found.items() if vector is not None}


def _readable(blobs: Blobs, name: str) -> FloatArray | None:
    """None where its bytes are damaged: the case is then described anew, or left out; `medloop doctor` names them."""
    try:
        return vector_of(blobs, name)
    except BlobError:
        return None


def describe_cases(
    workspace: Workspace,
    method: str,
    maker: str,
    cases: Sequence[Case],
    make: Make,
    *,
    report: Report | None = None,
) -> Vectors:
    """The vectors of all these cases but the ones whose bytes are damaged; those that are not there yet are made and kept."""
    found = kept_vectors(workspace, method, maker, cases)
    missing, left_out = [c for c in cases if c.id not in found], LeftOut(workspace)
    if not workspace.executor.is_here and len(missing) > FEW_TO_SEND:
        return found | _described_elsewhere(workspace, method, maker, missing, make, report or _untold)
    for start in range(0, len(missing), CHUNK):
        if report is not None:
            report(start / len(missing), f"describing cases ({start + 1} of {len(missing)})")
        fresh: dict[str, FloatArray] = {}
        for case in missing[start : start + CHUNK]:
            with left_out.case(case):
                fresh[case.id] = np.asarray(make(workspace, case), dtype=np.float32)
        keep_vectors(workspace, method, maker, fresh)
        found |= fresh
    return found


def _described_elsewhere(workspace: Workspace, method: str, maker: str, cases: Sequence[Case], make: Make, report: Report) -> Vectors:
    where, by_id, left_out, found = workspace.executor.words, {case.id: case for case in cases}, LeftOut(workspace), Vectors()

    def check() -> None:
        report(len(found) / len(cases), f"describing cases {where} ({len(found)} of {len(cases)})")

    check()
    for done in workspace.executor.run(case_tasks(cases, describe_shard, Shared.of(workspace), make), check=check):
        for seen in done.result:
            if seen.error is not None:
                left_out.note(by_id[seen.case_id], seen.error)
        fresh = {seen.case_id: seen.value for seen in done.result if seen.value is not None}
        keep_vectors(workspace, method, maker, fresh)
        found |= fresh
    return found


def describe_shard(shared: Shared, make: Make, case_ids: Sequence[str]) -> list[Seen[FloatArray]]:
    """What a worker does: describe a few cases. Nothing is stored."""
    workspace = shared.open()
    return each_case(workspace, case_ids, lambda case: np.asarray(make(workspace, case), dtype=np.float32))


def _untold(_progress: float, _message: str) -> None:
    """Nobody wants to know."""


def keep_vectors(workspace: Workspace, method: str, maker: str, vectors: Mapping[str, FloatArray]) -> None:
    """Keep vectors of cases, by id, that have none of this kind yet."""
    blobs = {case_id: store_features(workspace.store.blobs, vector) for case_id, vector in vectors.items()}
    with workspace.store.write("worker") as tx:
        there = {d.case_id for d in tx.find(Descriptor, where={"method": method, "maker": maker, "case_id": list(blobs)})}
        for case_id, blob in blobs.items():
            if case_id not in there:
                new = Descriptor(id=new_id("descriptor"), case_id=case_id, method=method, maker=maker, vector=blob, created_at=now())
                tx.add(new, verb="describe")


@lru_cache(maxsize=50_000)
def vector_of(blobs: Blobs, name: str) -> FloatArray:
    """The numbers of a blob, read-only: blobs never change, so what was read once stays right.

    Raises:
        BlobError: It is damaged or gone.
    """
    return load_features(blobs, name)
