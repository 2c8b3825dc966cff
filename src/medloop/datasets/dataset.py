"""What a folder of images turns out to hold: cases by path, labels by name, and what was left out and why.

Opening reads lists and names only. Pixels are decoded later, case by case, so that one bad file costs one case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Split, TaskKind
from medloop.images.shapes.regions import Drawing, PictureMark

FormatName: TypeAlias = Literal["msd", "nnunet", "folder", "csv", "dicom", "coco", "labelstudio", "cvat"]

Box: TypeAlias = tuple[int, int, int, int]
"""Column, row, width and height in pixels, from the upper left corner."""

MaskReading: TypeAlias = Literal["labels", "foreground"]
"""How mask values are meant: as label values, or (instance maps, 0/255 masks) everything above 0 as label 1."""


@dataclass(frozen=True)
class Refusal:
    """One file, row or entry that was left out.

    Attributes:
        file: Path relative to the source, or a case's name.
        rule: What must hold, in words.
        value: What was found instead; "" when the rule says it all.
        remedy: What to do about it; "" when nothing is needed.
    """

    file: str
    rule: str
    value: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        found = f", got {self.value}" if self.value else ""
        advice = f"; {self.remedy}" if self.remedy else ""
        return "".join(c if c.isprintable() else " " for c in f"{self.file}: {self.rule}{found}{advice}")


@dataclass(frozen=True)
class Proposed:
    """What a model elsewhere proposes for a picture.

    Attributes:
        name: Of the model.
        drawing: Its shapes.
        score: What it gave itself, 0..1; None when it gave none.
    """

    name: str
    drawing: Drawing
    score: float | None = None


@dataclass(frozen=True)
class HeaderWords:
    """What DICOM headers say of a case that must not reach the project; it is looked for in names, and never kept.

    Attributes:
        patient: The word that stands for the header's patient, made without a key; "" without one.
        identifiers: Words that name its patient.
        plain_name: The case's name where its own holds free words of the header, "" where it does not.
        odd_words: These free words.
    """

    patient: str = ""
    identifiers: tuple[str, ...] = ()
    plain_name: str = ""
    odd_words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Acquired:
    """What DICOM headers say of how a series came about; it tells series apart while a source is opened, and is never kept.

    Attributes:
        study, frame_of_reference: UIDs, "" where missing.
        description: SeriesDescription, or the modality.
        modality: DICOM's word, "" where missing.
    """

    study: str = ""
    frame_of_reference: str = ""
    description: str = ""
    modality: str = ""


@dataclass(frozen=True)
class ChannelFiles:
    """One channel of a case whose channels lie in different files.

    Attributes:
        name: What it shows.
        paths: One file, the folder of a series, or the files of a series.
        acquired: What its headers say; None for what is no DICOM.
    """

    name: str
    paths: tuple[Path, ...]
    acquired: Acquired | None = None


@dataclass(frozen=True)
class Joining:
    """How channels of different files become one image.

    Attributes:
        resample: Bring those on another grid onto the grid of the first one, linearly.
        registered: Somebody says that all channels are registered, whatever frames of reference their headers name.
    """

    resample: bool = False
    registered: bool = False


PLAINLY = Joining()
"""Channels on one grid."""


@dataclass(frozen=True)
class Blank:
    """Pixels that are blanked while an image comes in, on every slice or frame.

    Attributes:
        boxes: Rectangles that are blanked.
        outside: Whether everything outside of the file's ultrasound regions is.
    """

    boxes: tuple[Box, ...] = ()
    outside: bool = False

    def __bool__(self) -> bool:
        return bool(self.boxes) or self.outside


NOTHING_BLANK = Blank()


@dataclass(frozen=True)
class CaseSource:
    """Where one case's image and answer lie.

    Attributes:
        name: Unique within the dataset; from the file name.
        patient: All cases of one patient share a split; the case's own name when nothing else is known.
        images: One path per channel; or one 4D NIfTI, one folder with one DICOM series, or the files of such a series.
        mask: The segmentation, None when there is none.
        tag: The class name, None when there is none.
        split: Given by the source, None when it leaves the choice to us.
        stratum: Key that a stratified split balances; "" when none.
        pixel_mm: Pixel size of a picture whose file has none, None when unknown.
        annotator: Whose label it is, "" when the source does not say.
        annotated_at: When it was made, as `medloop.core.records.now` writes times; None when unknown.
        effort_seconds: How long it took; 0 when unknown.
        untouched: Share of a model's proposal that stands in the label untouched, 0..1; None for one made without a model.
        annotated: Names of the labels that the mask annotates; None when the source does not say.
        frames: Names of a template and the frames or slices, from 0, that they stand for in this case.
        notes: What was noticed about the case and not repaired, one line each.
        objects: DICOM annotations (SEG, RTSTRUCT) that point at its images; each names its own labels.
        drawing: Shapes on a picture that are its segmentation, None when there are none.
        marks: Boxes and points on a picture that has no segmentation.
        more: What other people say of the same case, each with its own label, author and time.
        proposals: What models elsewhere propose for it.
        header: What its DICOM headers say that is not kept.
        groups: Subgroups of patients that the source names, attribute and value.
        label: What people call it where `name` is a word that stands for its name; "" otherwise.
        acquired: What its DICOM headers say of how it came about; None for what is no DICOM.
        channels: Its channels where each has files of its own, the first one giving the grid; () where `images` says it all.
        joining: How `channels` become one image.
        references: Other series of the same patient, to look at beside it; each is one image without an annotation.
    """

    name: str
    patient: str
    images: tuple[Path, ...]
    mask: Path | None = None
    tag: str | None = None
    split: Split | None = None
    stratum: str = ""
    pixel_mm: float | None = None
    annotator: str = ""
    annotated_at: str | None = None
    effort_seconds: float = 0.0
    untouched: float | None = None
    annotated: tuple[str, ...] | None = None
    frames: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()
    objects: tuple[Path, ...] = ()
    drawing: Drawing | None = None
    marks: tuple[PictureMark, ...] = ()
    more: tuple["CaseSource", ...] = ()
    proposals: tuple[Proposed, ...] = ()
    header: HeaderWords = HeaderWords()
    groups: tuple[tuple[str, str], ...] = ()
    label: str = ""
    acquired: Acquired | None = None
    channels: tuple[ChannelFiles, ...] = ()
    joining: Joining = PLAINLY
    references: tuple["CaseSource", ...] = ()

    @property
    def labelled(self) -> bool:
        """Whether the source answers this case."""
        return self.mask is not None or self.tag is not None or self.drawing is not None or bool(self.objects)

    def sized(self, image: Image) -> Image:
        """The case's image with the pixel size its data set gives, when its file has none of its own."""
        unsized = image.grid.is_2d and image.grid == Grid.flat(image.grid.shape[0], image.grid.shape[1])
        if self.pixel_mm is None or not unsized:
            return image
        return Image(image.array, Grid.flat(image.grid.shape[0], image.grid.shape[1], self.pixel_mm))


@dataclass(frozen=True)
class Dataset:
    """An opened source.

    Attributes:
        format: Which layout it is in.
        kind: The question its labels answer; None when it has none.
        labels: Label names in order of their values; empty when the layout does not name them.
        label_values: Name → value in the masks (1..255), or → 0, 1, 2, … for classes.
        channels: Names of the channels, empty when unknown.
        cases: In order of name.
        refused: One line per thing left out.
        masks: How mask values are meant.
        ignore: Mask value of voxels that say nothing, None without such.
        notes: What was noticed about the source as a whole, one line each.
        inside: Name of a label → name of the label that the source says it lies inside of.
        threshold: Share from which on a voxel of a fractional DICOM segmentation counts; None refuses such ones.
        idle: Labels that the source names and nothing in it has.
        blank: Pixels that are blanked in every new case.
        lone_masks: Masks without an image of their name, by the file that `refused` names them by.
    """

    format: FormatName
    kind: TaskKind | None
    labels: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    cases: tuple[CaseSource, ...] = ()
    refused: tuple[Refusal, ...] = ()
    label_values: Mapping[str, int] = field(default_factory=dict)
    masks: MaskReading = "labels"
    ignore: int | None = None
    notes: tuple[str, ...] = ()
    inside: Mapping[str, str] = field(default_factory=dict)
    threshold: float | None = None
    idle: frozenset[str] = frozenset()
    blank: Blank = NOTHING_BLANK
    lone_masks: Mapping[str, Path] = field(default_factory=dict)
