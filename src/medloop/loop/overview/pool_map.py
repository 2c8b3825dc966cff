"""A map of the pool: every described case as a point, so that cases which look alike lie together.

Laid out are the embeddings of the model in use or, before there is one, descriptions of the images. The exact plane of greatest variance
is usual; t-SNE is for pools of a few thousand. The map lies in the work folder, bound to what described the cases: another model, or
cases that came since, make it out of date, which is said wherever it is shown. Losing it costs time only.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from medloop.core.arrays import FloatArray
from medloop.core.errors import InputError, NotFoundError, SettingError
from medloop.core.names import counted
from medloop.core.records import Case, Descriptor, Json, new_id, now
from medloop.core.seeds import derive_seed
from medloop.images.files import write_atomic
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.job_control import JobControl
from medloop.loop.foundation.vector_rows import VectorRows, VectorsOf, vector_rows
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.querying.descriptions import newest_maker
from medloop.loop.querying.on_demand import cold_features
from medloop.loop.querying.start_features import cold_start
from medloop.metrics.principal import Moments, plane_of
from medloop.store.reader import Reader

Described: TypeAlias = Literal["auto", "model", "images"]
Layout: TypeAlias = Literal["pca", "tsne"]

DESCRIBED: tuple[Described, ...] = get_args(Described)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

FEWEST = 3
MOST_TSNE = 5000
"""t-SNE of more cases takes minutes and gigabytes."""

AT_ONCE = 1000
"""Cases described in one go: what is held of them at a time."""

VERSION = 1
Points: TypeAlias = npt.NDArray[np.void]
"""Fields `id`, `x` and `y`, by id."""


@dataclass(frozen=True)
class PoolMap:
    """What a map was made of.

    Attributes:
        described: By the model or from the images.
        by: What described the cases, in words.
        key: The vectors' own, and `seen` how many cases were described so: with others the map is out of date.
        explained: Share of the variance along each axis; None of t-SNE, whose axes mean nothing.
        notes: What of the vectors is not on it, and why.
        file: Of the points, in the map's folder.
    """

    described: Described
    layout: Layout
    by: str
    key: str
    seen: int
    cases: int
    dimensions: int
    explained: tuple[float, float] | None
    notes: tuple[str, ...]
    file: str
    made_at: str

    @property
    def explained_words(self) -> str:
        """How much of the truth the two axes show."""
        if self.explained is None:
            return "t-SNE: neighbours are kept, distances and axes mean nothing"
        first, second = self.explained
        return f"the axes explain {first + second:.0%} of the variance ({first:.0%} and {second:.0%})"


def make_map(workspace: Workspace, *, described: Described = "auto", layout: Layout = "pca", report: Report | None = None) -> PoolMap:
    """Lay out every described case, and keep the map; of the images those that nobody has described yet are described first.

    Raises:
        SettingError: Words that are none, or t-SNE of too many cases.
        NotFoundError: No model in use, where its embeddings were wanted.
        InputError: Fewer than three cases are described.
    """
    _require_words(described, layout)
    of, by, how = _wanted(workspace, described)
    if how == "images":
        of, by = _describe(workspace, report)
    rows = vector_rows(workspace, of, report=report)
    if len(rows) < FEWEST:
        remedy = "train a model, or map the images" if how == "model" else "import more cases"
        raise InputError(f"A map needs {FEWEST} cases with a vector, got {len(rows)} {by}", remedy=remedy)
    places, explained = _laid_out(workspace, rows, layout, report)
    made = PoolMap(
        described=how,
        layout=layout,
        by=by,
        key=of.key,
        seen=described_cases(workspace, of),
        cases=len(rows),
        dimensions=rows.dimensions,
        explained=explained,
        notes=(f"{counted(rows.left_out, 'vector')} of another length left out",) if rows.left_out else (),
        file=f"{new_id('points')}.npy",
        made_at=now(),
    )
    _keep(workspace, made, _points(rows, places))
    return made


def kept_map(workspace: Workspace) -> tuple[PoolMap, Points] | None:
    """The map that was made last, its points not yet read; None without one."""
    folder = _folder(workspace)
    try:
        kept = json.loads((folder / "map.json").read_bytes())
        if kept.pop("version") != VERSION:
            return None
        explained = None if kept["explained"] is None else tuple(kept["explained"])
        made = PoolMap(**{**kept, "explained": explained, "notes": tuple(kept["notes"])})
        points: Points = np.load(folder / made.file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return made, points


def why_outdated(workspace: Workspace, made: PoolMap) -> str:
    """What changed since a map was made, in words; "" while it is right."""
    of, by, how = _wanted(workspace, "auto" if made.described == "model" else "images")
    if how != made.described:
        return "a model is in use by now" if how == "model" else "the model whose embeddings it shows is out of use"
    if of.key != made.key:
        return f"it was made {made.by}, the cases are described {by} now"
    return "cases were described since" if described_cases(workspace, of) != made.seen else ""


def described_cases(workspace: Workspace, of: VectorsOf) -> int:
    """How many cases have been described so by now."""
    with workspace.store.read() as tx:
        return tx.vector_count(of.model_id, of.method, of.maker)


def run_map(workspace: Workspace, control: JobControl) -> Json:
    """The job: make the map."""
    payload = control.job.payload
    made = make_map(workspace, described=payload["described"], layout=payload["layout"], report=control.report)
    control.log(f"mapped {counted(made.cases, 'case')} {made.by}; {made.explained_words}")
    return {"cases": made.cases}


def _require_words(described: str, layout: str) -> None:
    for given, known, what in ((described, DESCRIBED, "described"), (layout, LAYOUTS, "layout")):
        if given not in known:
            raise SettingError(f"{what} must be one of {', '.join(known)}, got {given!r}")


def _wanted(workspace: Workspace, described: Described) -> tuple[VectorsOf, str, Described]:
    """Which vectors are laid out, what made them in words, and which of both they are."""
    with workspace.store.read() as tx:
        model = tx.live_model()
        if described == "model" and model is None:
            raise NotFoundError("No model is in use whose embeddings could be laid out", remedy="train one, or map the images")
        if model is not None and (described == "model" or (described == "auto" and tx.has_embeddings(model.id))):
            return VectorsOf(model_id=model.id), f"by model {model.index}", "model"
        of, by = _of_images(workspace, tx)
    return of, by, "images"


def _of_images(workspace: Workspace, tx: Reader) -> tuple[VectorsOf, str]:
    """The vectors that describe images in this project: the first kind of which there are any."""
    found = list[tuple[VectorsOf, str]]()
    if (start := cold_start(workspace)) is not None:
        found.append((VectorsOf(method=start.id, maker=start.weights), f"from the images by the {start.words}"))
    if workspace.settings.cold_start == "selfsup" and (maker := newest_maker(workspace, "selfsup")) is not None:
        found.append((VectorsOf(method="selfsup", maker=maker), "from the images by a network that learned without annotations"))
    plain = VectorsOf(method="descriptors"), "from the images by a fixed rule"
    there = (one for one in found if tx.count(Descriptor, where={"method": one[0].method, "maker": one[0].maker}))
    return next(there, plain)


def _describe(workspace: Workspace, report: Report | None) -> tuple[VectorsOf, str]:
    """Describe what nobody has described yet, a part at a time, and say by what."""
    with workspace.store.read() as tx:
        ids = [case_id for _, case_id, _ in tx.case_lines()]
    for start in range(0, len(ids), AT_ONCE):
        with workspace.store.read() as tx:
            part = tx.find(Case, where={"id": ids[start : start + AT_ONCE]})
        cold_features(workspace, [case for case in part if case.voxels], report=report)
    with workspace.store.read() as tx:
        return _of_images(workspace, tx)


def _laid_out(
    workspace: Workspace, rows: VectorRows, layout: Layout, report: Report | None
) -> tuple[FloatArray, tuple[float, float] | None]:
    """The place of every case in the order of `rows.cases`, and what the axes explain."""
    if report is not None:
        report(0.5, f"laying out {counted(len(rows), 'case')}")
    if layout == "tsne":
        return _neighbours(rows, derive_seed(workspace.settings.seed, "map")), None
    moments = Moments(rows.dimensions)
    for _, piece in rows.pieces():
        moments.add(piece)
    plane = plane_of(moments)
    places = np.zeros((len(rows), 2))
    for ids, piece in rows.pieces():
        places[np.searchsorted(rows.cases, ids)] = plane(piece)
    return places, plane.explained


def _neighbours(rows: VectorRows, seed: int) -> FloatArray:
    """Source: van der Maaten and Hinton 2008, JMLR 9, 2579-2605, as scikit-learn has it."""
    if len(rows) > MOST_TSNE:
        raise SettingError(f"t-SNE is for at most {MOST_TSNE} cases, got {len(rows)}", remedy="use the layout pca")
    from sklearn.manifold import TSNE

    table = rows.take(rows.order)
    made = TSNE(perplexity=min(30.0, (len(rows) - 1) / 3), init="random", random_state=seed % 2**32, n_jobs=1).fit_transform(table)
    return np.asarray(made, dtype=np.float64)


def _points(rows: VectorRows, places: FloatArray) -> Points:
    """Places as they are kept: within 0..1, both axes on one scale, y upwards."""
    low, high = places.min(axis=0), places.max(axis=0)
    scaled = (places - (low + high) / 2) / max(float((high - low).max()), 1e-12) + 0.5
    points = np.zeros(len(rows), dtype=[("id", rows.cases.dtype), ("x", "<f4"), ("y", "<f4")])
    points["id"], points["x"], points["y"] = rows.cases, scaled[:, 0], scaled[:, 1]
    return points


def _keep(workspace: Workspace, made: PoolMap, points: Points) -> None:
    folder, file = _folder(workspace), BytesIO()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    np.save(file, points)
    write_atomic(folder / made.file, file.getvalue(), mode=0o600)
    write_atomic(folder / "map.json", json.dumps({"version": VERSION, **asdict(made)}).encode(), mode=0o600)
    for old in folder.glob("points-*.npy"):
        if old.name != made.file:
            old.unlink(missing_ok=True)


def _folder(workspace: Workspace) -> Path:
    return workspace.work_folder / "map"


def placed(points: Points, case_ids: Sequence[str]) -> npt.NDArray[np.intp]:
    """Rows of the points of some cases; those that have none are left out."""
    wanted = np.array([one.encode() for one in case_ids], dtype="S") if len(case_ids) else np.zeros(0, dtype="S1")
    if not len(points) or not len(wanted):
        return np.zeros(0, dtype=np.intp)
    places = np.minimum(np.searchsorted(points["id"], wanted), len(points) - 1)
    found: npt.NDArray[np.intp] = places[points["id"][places] == wanted]
    return found
