"""What a new image is compared with: the project's own images, and what the model in use said of images it did not learn from.

References are the images that people annotated and nobody flagged or skipped; while they are too few, all images that nobody
flagged or skipped. An image's own numbers never change, so they are kept beside the project once they were worked out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medloop.core.errors import BlobError, InputError
from medloop.core.records import Case, Model, Prediction
from medloop.core.seeds import generator
from medloop.loop.foundation.arrays import load_image, load_proposal
from medloop.loop.foundation.learned import learned_cases
from medloop.loop.foundation.memo import Memo, memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.mask_figures import figures_of_samples, is_sized
from medloop.loop.judging.quality_signs import signs_of_prediction
from medloop.metrics.measure_bounds import spread_of
from medloop.metrics.measures import MeasureName
from medloop.quality.acquisition.model_signs import mask_signs, said_signs
from medloop.quality.acquisition.rule import fewest_patients
from medloop.quality.acquisition.signs import image_signs
from medloop.store.reader import Reader

ComparedWith: TypeAlias = Literal["annotated", "unflagged", ""]

MOST_LOOKED_AT = 2000
"""The newest images, among which references are looked for: an older device's say little, and a large pool costs no time."""

MOST_REFERENCES = 300
"""Images that are compared with; of more, as many drawn at random once: a rate of 5 % is known well enough then."""

EXTENT = "extent"
"""The sign that is in millimetres, and means nothing where a pixel's size is not known."""

MEMO = "acquisition signs"


@dataclass(frozen=True)
class References:
    """Signs of references with their patients, and which images they are; for a model's signs `kind` is "" ."""

    signs: tuple[Mapping[str, float], ...]
    patients: tuple[str, ...]
    kind: ComparedWith = ""


def image_references(workspace: Workspace, new: Case, *, alarm: float, apart: bool = True) -> References:
    """Signs of the project's images that are like a new one, `apart` from its patient: in channels and slices."""
    with workspace.store.read() as tx:
        unflagged = [case for case in _usable(tx, new) if not apart or case.patient != new.patient]
        annotated = tx.annotated_among([case.id for case in unflagged])
    seen = [case for case in unflagged if case.id in annotated]
    enough = len({case.patient for case in seen}) >= fewest_patients(alarm)
    chosen = _drawn(workspace, seen if enough else unflagged)
    rows = []
    with memo(workspace, MEMO) as known:
        for case in chosen:
            signs = signs_of_case(workspace, known, case)
            comparable = signs if is_sized(case) == is_sized(new) else {name: value for name, value in signs.items() if name != EXTENT}
            rows += [(comparable, case.patient)] if signs else []
    return References(tuple(row[0] for row in rows), tuple(row[1] for row in rows), "annotated" if enough else "unflagged")


def signs_of_case(workspace: Workspace, known: Memo, case: Case) -> dict[str, float]:
    """The signs of a case's image; {} where it has none, or its bytes cannot be read."""

    def make() -> dict[str, float]:
        try:
            return image_signs(load_image(workspace.store.blobs, case).array, case.grid.spacing_mm)
        except InputError:
            return {}

    try:
        found: dict[str, float] = known.get(f"{case.voxels} {case.grid.spacing_mm}", make)
    except BlobError:
        return {}
    return found


def model_references(
    workspace: Workspace, model: Model, new: Case, uses: Sequence[tuple[int, MeasureName]], *, apart: bool = True
) -> References:
    """Signs of what a model said of images that it neither learned from nor chose its weights by.

    Args:
        workspace: The open project.
        model: The model in use.
        new: What is compared.
        uses: Label values and the measures whose spread counts.
        apart: Whether its patient's own images are left out.
    """
    with workspace.store.read() as tx:
        learned = set(learned_cases(tx, model))
        cases = {case.id: case for case in _usable(tx, new) if case.split != "validation" and case.id not in learned}
        found = tx.find(Prediction, where={"model_id": model.id, "case_id": list(cases)}) if cases else []
    said = {p.case_id: p for p in found if p.mask}.values()  # the newest of each case
    others = [p for p in said if not apart or cases[p.case_id].patient != new.patient]
    chosen = {case.id for case in _drawn(workspace, [cases[p.case_id] for p in others])}
    rows = []
    with memo(workspace, MEMO) as known:
        for prediction in others:
            case = cases[prediction.case_id]
            if case.id in chosen and (signs := _kept_signs(workspace, known, prediction, case, uses)):
                rows.append((signs, case.patient))
    return References(tuple(row[0] for row in rows), tuple(row[1] for row in rows))


def prediction_signs(prediction: Prediction, of_mask: Mapping[str, float], uses: Sequence[tuple[int, MeasureName]]) -> dict[str, float]:
    """All signs of one prediction: of its samples, its mask, its measures and its expected quality.

    Args:
        prediction: As stored, or one that will not be.
        of_mask: From `mask_signs`.
        uses: Label values and the measures whose spread counts.
    """
    found = said_signs(signs_of_prediction(prediction)) | dict(of_mask)
    if prediction.quality is not None:
        found["expected"] = prediction.quality
    for label, name in uses:
        figures = figures_of_samples(prediction, label, name)
        if len(figures):
            middle = float(sorted(figures)[len(figures) // 2]) if (figures == figures).all() else 0.0
            found[f"spread {label}"] = min(spread_of(middle, figures), 1.0) if middle > 0 else 1.0
    return found


def _kept_signs(
    workspace: Workspace, known: Memo, prediction: Prediction, case: Case, uses: Sequence[tuple[int, MeasureName]]
) -> dict[str, float]:
    def make() -> dict[str, float]:
        return mask_signs(load_proposal(workspace.store.blobs, prediction, case), case.grid.spacing_mm)

    try:
        return prediction_signs(prediction, known.get(f"mask {prediction.mask}", make), uses)
    except BlobError:
        return {}


def _usable(tx: Reader, new: Case) -> list[Case]:
    """Cases like a new one that nobody flagged or skipped, by name."""
    newest = tx.find(Case, descending=True, limit=MOST_LOOKED_AT)
    alike = sorted((case for case in newest if _alike(case, new)), key=lambda case: case.name)
    refused = tx.refused_among([case.id for case in alike])
    return [case for case in alike if case.id not in refused]


def _alike(case: Case, new: Case) -> bool:
    return (case.channels, case.grid.is_2d) == (new.channels, new.grid.is_2d)


def _drawn(workspace: Workspace, cases: list[Case]) -> list[Case]:
    if len(cases) <= MOST_REFERENCES:
        return cases
    rng = generator(workspace.settings.seed, "acquisition references")
    return [cases[n] for n in sorted(rng.choice(len(cases), MOST_REFERENCES, replace=False))]
