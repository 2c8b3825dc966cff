"""Vectors that describe cases without their answers: computed once per case, kept in the store.

They are kept by `medloop.loop.foundation.described`. Networks that learn from the images alone are trained on training cases only, and
again once the project has twice as many of them. Torch is imported only where a network is trained or run.
"""

from collections.abc import Callable, Sequence

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.names import counted
from medloop.core.records import Case, Descriptor
from medloop.core.seeds import derive_seed, generator
from medloop.images.files import write_atomic
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.described import Report
from medloop.loop.foundation.workspace import Workspace
from medloop.models.pretext.thumbnails import SIDE, VIEWS, Thumbnail, thumbnail

LEARN_FROM = 1000
"""Networks learn from at most so many cases, drawn at random: more cost memory and change little."""

FEWEST_CASES = 4
OUTGROWN = 2.0


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
