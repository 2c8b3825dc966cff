"""Vectors that describe cases without their answers: computed once per case, kept in the store.

A vector is bound to its method and to what made it (weights, a model); those of different makers are never mixed.
Every few cases are one transaction, so that a killed job goes on where it was; two processes that describe the same
case keep one vector. Networks that learn from the images alone are trained on training cases only, and again once the
project has twice as many of them. Torch is imported only where a network is trained or run.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.names import counted
from medloop.core.records import Case, Descriptor, new_id, now
from medloop.core.seeds import derive_seed, generator
from medloop.images.files import write_atomic
from medloop.loop.foundation.arrays import load_features, load_image, store_features
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.workspace import Workspace
from medloop.models.pretext.thumbnails import SIDE, VIEWS, Thumbnail, thumbnail

Vectors: TypeAlias = dict[str, FloatArray]
"""Case id → vector."""

Report: TypeAlias = Callable[[float, str], None]
"""Told progress 0..1 and a line; may raise to stop. `JobControl.report` is one."""

CHUNK = 16
"""Cases per transaction."""

LEARN_FROM = 1000
"""Networks learn from at most so many cases, drawn at random: more cost memory and change little."""

FEWEST_CASES = 4
OUTGROWN = 2.0


def kept_vectors(workspace: Workspace, method: str, maker: str, cases: Sequence[Case]) -> Vectors:
    """The vectors that are there already; only reads."""
    wanted = {c.id for c in cases}
    with workspace.store.read() as tx:
        rows = tx.find(Descriptor, where={"method": method, "maker": maker})
    return {row.case_id: load_features(workspace.store.blobs, row.vector) for row in rows if row.case_id in wanted}


def describe_cases(
    workspace: Workspace,
    method: str,
    maker: str,
    cases: Sequence[Case],
    make: Callable[[Case], FloatArray],
    *,
    report: Report | None = None,
) -> Vectors:
    """The vectors of all these cases but the ones whose bytes are damaged; those that are not there yet are made and kept."""
    found = kept_vectors(workspace, method, maker, cases)
    missing, left_out = [c for c in cases if c.id not in found], LeftOut(workspace)
    for start in range(0, len(missing), CHUNK):
        if report is not None:
            report(start / len(missing), f"describing cases ({start + 1} of {len(missing)})")
        fresh: dict[str, FloatArray] = {}
        for case in missing[start : start + CHUNK]:
            with left_out.case(case):
                fresh[case.id] = np.asarray(make(case), dtype=np.float32)
        _keep(workspace, method, maker, fresh)
        found |= fresh
    return found


def newest_maker(workspace: Workspace, method: str) -> str | None:
    """The blob of the weights that described the project last; None before the first time."""
    with workspace.store.read() as tx:
        newest = tx.find(Descriptor, where={"method": method}, descending=True, limit=1)
    return newest[0].maker if newest else None


def learned_maker(
    workspace: Workspace, method: str, train: Callable[[FloatArray, int], bytes], *, report: Report | None = None
) -> str | None:
    """The blob of the network that describes this project; trained now if there is none or the project outgrew it.

    `train` makes weights of thumbnails, shape (cases, 3, 64, 64), and a seed. None below `FEWEST_CASES` training cases.
    """
    with workspace.store.read() as tx:
        cases = tx.find(Case, where={"split": "train"}, order=("name",))
    maker = newest_maker(workspace, method)
    if maker is not None and len(cases) < OUTGROWN * _cases_then(workspace, method, maker, cases):
        return maker
    if len(cases) < FEWEST_CASES:
        return maker
    seed = workspace.settings.seed
    drawn = sorted(generator(seed, method, "cases").permutation(len(cases))[:LEARN_FROM])
    thumbnails, left_out = [], LeftOut(workspace)
    for n in drawn:
        with left_out.case(cases[n]):
            thumbnails.append(small_views(workspace, cases[n], report=report))
    if len(thumbnails) < FEWEST_CASES:
        return maker
    if report is not None:
        report(0.0, f"learning from {counted(len(drawn), 'image')} without annotations")
    return workspace.store.blobs.put(train(np.stack(thumbnails), derive_seed(seed, method)))


def small_views(workspace: Workspace, case: Case, *, report: Report | None = None) -> Thumbnail:
    """The thumbnail of a case; kept in the work folder, where it can be lost without harm."""
    file = workspace.work_folder / "thumbnails" / f"{case.id}.f4"
    size = 4 * VIEWS * SIDE * SIDE
    if file.exists() and file.stat().st_size == size:
        return np.frombuffer(file.read_bytes(), dtype="<f4").reshape(VIEWS, SIDE, SIDE)
    if report is not None:
        report(0.0, f"looking at {case.name}")
    made = thumbnail(load_image(workspace.store.blobs, case))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, made.astype("<f4").tobytes(), mode=0o600)
    return made


def _cases_then(workspace: Workspace, method: str, maker: str, cases: Sequence[Case]) -> int:
    """How many of the training cases were there when a network first described one."""
    with workspace.store.read() as tx:
        first = tx.find(Descriptor, where={"method": method, "maker": maker}, limit=1)[0]
    return sum(c.added_at <= first.created_at for c in cases)


def _keep(workspace: Workspace, method: str, maker: str, vectors: Mapping[str, FloatArray]) -> None:
    blobs = {case_id: store_features(workspace.store.blobs, vector) for case_id, vector in vectors.items()}
    with workspace.store.write("worker") as tx:
        there = {d.case_id for d in tx.find(Descriptor, where={"method": method, "maker": maker, "case_id": list(blobs)})}
        for case_id, blob in blobs.items():
            if case_id not in there:
                new = Descriptor(id=new_id("descriptor"), case_id=case_id, method=method, maker=maker, vector=blob, created_at=now())
                tx.add(new, verb="describe")
