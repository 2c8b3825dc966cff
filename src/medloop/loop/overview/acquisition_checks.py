"""Checks of images in files, and of a project's own cases; see `medloop.loop.overview.acquisition`.

A new image is a case only in memory: it gets no row, no blob, no event, and no line in a log.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, SettingError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.labels import mask_colours
from medloop.core.names import counted
from medloop.core.records import Case, Model, Prediction, new_id, now
from medloop.images.quantiles import percentiles
from medloop.images.read import ReadImage, read_image
from medloop.images.result import UNSIZED, require_intensities
from medloop.loop.foundation.arrays import COLOUR, load_image, load_proposal
from medloop.loop.foundation.damage import LeftOut
from medloop.loop.foundation.learned import learned_cases
from medloop.loop.foundation.memo import memo
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.judging.predictions import load_predictor
from medloop.loop.overview.acquisition import AcquisitionCheck, Demand, Proposed, judge_image, judge_signs, propose_unsaved
from medloop.loop.overview.acquisition_kept import keep_verdicts
from medloop.loop.overview.acquisition_limits import Limits
from medloop.loop.overview.acquisition_references import MEMO, MOST_LOOKED_AT, signs_of_case
from medloop.report.thumbnails import thumbnail_png

if TYPE_CHECKING:
    from medloop.models.inference.predict import AnyPredictor

MOST_PIXEL_MM = 100
"""Larger pixels are a mistake of units."""

PICTURE = 512
"""Pixels of the longer side of the picture that goes with an outcome."""

MASKS_ONLY = "The model's part is for projects of masks"
NO_MODEL = "There is no model yet: only the image itself was judged"
OUTSIDE = "The model in use is from elsewhere and proposes for cases only: only the image itself was judged"
NO_PROPOSAL = "Only the image itself was judged"
NOT_COMPUTED = "No assistant runs: only the image itself was judged"


@dataclass(frozen=True, eq=False)
class Judged:
    """The outcome of one check.

    Attributes:
        check: What was found.
        picture: The slice that holds most of the proposal with it, as PNG; b"" where none was wanted.
    """

    check: AcquisitionCheck
    picture: bytes = b""

    @property
    def address(self) -> str:
        """The picture as an address that holds it."""
        return f"data:image/png;base64,{b64encode(self.picture).decode()}" if self.picture else ""


class AcquisitionChecker:
    """Checks one image after another; limits and the model are made ready once.

    Args:
        workspace: The open project.
        demand: What is required of every image.
        predictor: The model in use, loaded; None loads it (needs torch).
        use_model: Whether a model may be used at all.
    """

    def __init__(
        self, workspace: Workspace, demand: Demand | None = None, *, predictor: "AnyPredictor | None" = None, use_model: bool = True
    ) -> None:
        self.workspace, self.demand = workspace, demand or Demand()
        self._limits = Limits(workspace, self.demand.alarm)
        self._predictor = predictor
        self._use_model = use_model

    def check(self, files: str | Path | Sequence[str | Path], *, pixel_mm: float | None = None, picture: bool = False) -> Judged:
        """Check one image: a file, the folder of a DICOM series, or several files that are its channels.

        Args:
            files: Of the image.
            pixel_mm: Pixel size of a picture whose file has none.
            picture: Whether a picture of the outcome is wanted.

        Raises:
            SettingError: A pixel size that is not above 0.
            FormatError: A file is damaged, of no known format, or a segmentation.
            NotFoundError: No such file.
            InputError: An image unlike the project's in channels, slices or bit depth; or one that holds no picture.
        """
        read = read_image(files)
        require_intensities("the image", read)
        return self.check_image(read if pixel_mm is None else sized(read, pixel_mm), picture=picture)

    def check_image(self, read: ReadImage, *, picture: bool = False) -> Judged:
        """The same of an image that was read.

        Raises:
            InputError: See `check`.
        """
        case = unsaved_case(read)
        require_alike(self.workspace, case)
        said = self._proposed(case, read.image)
        found = judge_image(self._limits, case, read.image, said, self.demand)
        mask = said.mask if isinstance(said, Proposed) else None
        return Judged(found, _picture(self.workspace, case, read.image, mask) if picture else b"")

    def _proposed(self, case: Case, image: Image) -> Proposed | str:
        model = _model(self.workspace)
        if isinstance(model, str):
            return model
        if not self._use_model:
            return NOT_COMPUTED
        if self._predictor is None:
            self._predictor = load_predictor(self.workspace.store.blobs, model)
        return propose_unsaved(self.workspace, model, self._predictor, case, image)


def check_case(workspace: Workspace, case: Case, demand: Demand | None = None, *, use_model: bool = True) -> AcquisitionCheck:
    """Check a case of the project by what is stored of it: its image, and what the model in use proposed for it.

    The list of cases shows what was found with the usual demands.

    Raises:
        InputError: It holds no picture.
        BlobError: Its bytes are damaged or gone.
    """
    asked = demand or Demand()
    image = load_image(workspace.store.blobs, case)
    said = _stored(workspace, case) if use_model else NO_PROPOSAL
    found = judge_image(Limits(workspace, asked.alarm), case, image, said, asked)
    if use_model and asked == Demand():
        keep_verdicts(workspace, {case.id: found})
    return found


@dataclass(frozen=True)
class CheckedCase:
    """A case of the project, and what was found of it."""

    case_id: str
    case_name: str
    check: AcquisitionCheck


def check_cases(workspace: Workspace, demand: Demand | None = None, *, log: Callable[[str], None] | None = None) -> list[CheckedCase]:
    """Check every case of the project, by name; limits are fitted once on all of them, so the rate holds on average."""
    asked, left_out, found = demand or Demand(), LeftOut(workspace, log), []
    limits = Limits(workspace, asked.alarm, apart=False)
    with workspace.store.read() as tx:
        cases = tx.find(Case, order=("name",))
    with memo(workspace, MEMO) as known:
        signs = {case.id: signs_of_case(workspace, known, case) for case in cases}
    for case in cases:
        if signs[case.id]:
            with left_out.case(case):
                check = judge_signs(limits, case, signs[case.id], _stored(workspace, case), asked)
                found.append(CheckedCase(case.id, case.name, check))
        elif log is not None:
            log(f"{case.name} is left out: it holds no picture, or its bytes cannot be read")
    if asked == Demand():
        keep_verdicts(workspace, {one.case_id: one.check for one in found})
    return found


def sized(read: ReadImage, pixel_mm: float) -> ReadImage:
    """A picture with a pixel size, where its file has none of its own.

    Raises:
        SettingError: A size that is not above 0.
    """
    if not 0 < pixel_mm < MOST_PIXEL_MM:
        raise SettingError(f"A pixel size lies above 0 and below {MOST_PIXEL_MM} mm, got {pixel_mm:g}")
    if UNSIZED not in read.notes:
        return read
    width, height, _ = read.image.grid.shape
    notes = tuple(note for note in read.notes if note != UNSIZED)
    return replace(read, image=Image(read.image.array, Grid.flat(width, height, pixel_mm)), notes=notes)


def unsaved_case(read: ReadImage) -> Case:
    """An image as a case that is stored nowhere."""
    array = read.image.array
    low, high = percentiles(array[0], (0.5, 99.5))
    return Case(
        id=new_id("case"),
        name="image",
        patient="",
        split="train",
        grid=read.image.grid,
        channels=read.image.channels,
        dtype=array.dtype.name,
        voxels="",
        window=(low, high if high > low else low + 1.0),
        value_range=(float(array.min()), float(array.max())),
        source=read.source,
        notes=read.notes,
        added_at=now(),
    )


def require_alike(workspace: Workspace, new: Case) -> None:
    """Refuse an image of another kind than all of the project's.

    Raises:
        InputError: Other channels, one slice against many, or a picture of another bit depth.
    """
    with workspace.store.read() as tx:
        cases = tx.find(Case, descending=True, limit=MOST_LOOKED_AT)
    if not cases:
        return
    facts: tuple[tuple[Callable[[Case], object], Callable[[Case], str], str], ...] = (
        (lambda c: c.channels, lambda c: counted(c.channels, "channel"), "send the same series or the same kind of picture"),
        (lambda c: c.grid.is_2d, lambda c: "one slice" if c.grid.is_2d else "several slices", "send the same kind of image"),
        (
            lambda c: c.dtype if c.source.format == "raster" else "",
            lambda c: f"values of {c.dtype}" if c.source.format == "raster" else f"files of {c.source.format}",
            "save pictures with the same bit depth",
        ),
    )
    for fact, words, remedy in facts:
        if all(fact(case) != fact(new) for case in cases) and (fact(new) != "" or not isinstance(fact(new), str)):
            raise InputError(f"The project's images have {words(cases[0])}, this one has {words(new)}", remedy=remedy)


def _model(workspace: Workspace) -> Model | str:
    """The model in use, or why none can propose anything."""
    with workspace.store.read() as tx:
        model = tx.live_model()
    if workspace.task.kind != "segmentation":
        return MASKS_ONLY
    return NO_MODEL if model is None else OUTSIDE if model.outside else model


def _stored(workspace: Workspace, case: Case) -> Proposed | str:
    """What the model in use has proposed for a case, or why that is not compared."""
    model = _model(workspace)
    if isinstance(model, str):
        return model
    with workspace.store.read() as tx:
        found = tx.find(Prediction, where={"case_id": case.id, "model_id": model.id}, limit=1, descending=True)
        said = found[0] if found and found[0].mask else None
        learned = case.split == "validation" or case.id in learned_cases(tx, model)
    if learned:
        return f"Model {model.index} learned from this case: what it proposes for it is not compared"
    if said is None:
        return f"Model {model.index} has not predicted it yet: only the image itself was judged"
    return Proposed(model, said, load_proposal(workspace.store.blobs, said, case))


def _picture(workspace: Workspace, case: Case, image: Image, mask: MaskArray | None) -> bytes:
    colour = image.channels == 3 and image.array.dtype == np.uint8
    channels, windows = (image.array, COLOUR) if colour else (image.array[:1], (case.window,))
    colours = dict(mask_colours(workspace.task.labels)) if mask is not None else {}
    return thumbnail_png(channels, windows, case.grid, mask, colours, size=PICTURE, inverted=case.display.inverted)
