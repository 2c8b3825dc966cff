"""What has to be done before and after a network, as a value that travels with its file: as JSON beside it or in it. Free of torch.

A description is complete: whoever follows it from top to bottom gets the mask that medloop gets.

    channels, axes, orientation    how voxels are laid out for the network
    intensities, spacing, size     what is done to them, and in which order (`normalise_first`)
    window, passes                 how the network is slid over the image, and on which mirror images
    gives, outputs, labels         what its output channels are, and which label each stands for
    calibration, not_learned       what is done to the probabilities at last
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias, cast, get_args

from medloop.core.errors import FormatError, MedloopError
from medloop.core.geometry import Shape3, triple
from medloop.core.records import Json, TaskKind
from medloop.models.exchange.intensities import Step, checked_steps
from medloop.models.foundation.plans import Spacing

VERSION = 1
KEY = "medloop_network"
"""Names a description, and holds its version."""

Takes: TypeAlias = Literal["windows", "image"]
Gives: TypeAlias = Literal["logits", "sigmoid", "probabilities"]
Axes: TypeAlias = Literal["ijk", "kji"]
Blend: TypeAlias = Literal["gaussian", "constant"]
MOST_OUTPUTS = 256


@dataclass(frozen=True)
class Window:
    """What the network sees at once.

    Attributes:
        size: Voxels (I, J, K); (0, 0, 0) shows it the whole image.
        overlap: Share that neighbouring windows share.
        blend: How overlapping answers are weighed: a Gaussian of 1/8 of the window, or all alike.
        whole: An image up to this many windows long per axis is seen in one piece, rounded up to `stride`.
        stride: Sizes that the network takes are multiples of it.
    """

    size: Shape3 = (0, 0, 0)
    overlap: float = 0.5
    blend: Blend = "gaussian"
    whole: float = 1.0
    stride: Shape3 = (1, 1, 1)


@dataclass(frozen=True)
class Run:
    """One answer: which of the networks in the file (its channels lie one after the other), and the axes mirrored before and after."""

    member: int = 0
    flips: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Description:
    """Everything about a network file but its weights.

    Attributes:
        kind: What it answers.
        dimension: 2 for single slices, else 3.
        channels: Of the images.
        labels: Name → value in a mask (or of a class).
        outputs: Of one answer's channels, the value that each stands for; 0 is the background.
        takes: `windows` of prepared voxels, or an `image` as it is stored with its affine: then the file does all the rest itself.
        gives: `logits` (a softmax is due), `sigmoid` (logits of labels that may overlap) or `probabilities`.
        heads: Answers of one member, which lie one after the other in the channels.
        axes: Order of the axes of an array: as stored, or reversed as in numpy arrays of SimpleITK.
        orientation: Letters such as RAS that voxels are brought to before; "" keeps the order of the file.
        spacing_mm: Spacing that images are resampled to; None keeps their own.
        framed_mm: Spacing that every image is taken to have, see `Recipe.framed_mm`.
        size: Voxels that every image is resized to, in place of a spacing.
        fitted: Voxels that every picture is made to fit into, its proportions kept, in place of a spacing.
        intensities: What is done to the voxels, in order.
        normalise_first: Whether that comes before the resampling.
        window: How it is slid over an image.
        runs: The answers whose mean counts.
        calibration: As JSON of `medloop.quality.calibrate`; {} for none.
        not_learned: Values that are never proposed.
        regions: Name of a label → all values whose voxels belong to it, where labels share voxels.
        origin: Where it comes from, for people.
    """

    kind: TaskKind
    dimension: int
    channels: int
    labels: Mapping[str, int]
    outputs: tuple[int, ...]
    takes: Takes = "windows"
    gives: Gives = "logits"
    heads: int = 1
    axes: Axes = "ijk"
    orientation: str = ""
    spacing_mm: Spacing | None = None
    framed_mm: Spacing | None = None
    size: Shape3 | None = None
    fitted: Shape3 | None = None
    intensities: tuple[Step, ...] = ()
    normalise_first: bool = True
    window: Window = Window()
    runs: tuple[Run, ...] = (Run(),)
    calibration: Json = field(default_factory=dict)
    not_learned: tuple[int, ...] = ()
    regions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    origin: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(self.kind in get_args(TaskKind), "kind", "segmentation or classification", self.kind)
        _require(self.dimension in (2, 3), "dimension", "2 or 3", self.dimension)
        _require(1 <= self.channels <= MOST_OUTPUTS and 1 <= self.heads <= MOST_OUTPUTS, "channels and heads", "1 to 256", self.channels)
        _require(bool(self.labels) and all(0 <= v <= 255 for v in self.labels.values()), "labels", "names with values to 255", self.labels)
        distinct = len(set(self.labels.values())) == len(self.labels)
        _require(distinct, "labels", "values that differ", dict(self.labels))
        known = {0, *self.labels.values()}
        _require(0 < len(self.outputs) <= MOST_OUTPUTS and set(self.outputs) <= known, "outputs", "values of labels", self.outputs)
        _require(self.takes in get_args(Takes), "takes", "windows or image", self.takes)
        _require(self.gives in get_args(Gives), "gives", "logits, sigmoid or probabilities", self.gives)
        _require(self.axes in get_args(Axes), "axes", "ijk or kji", self.axes)
        _require(is_orientation(self.orientation), "orientation", "three letters such as RAS, or empty", self.orientation)
        for spacing in (self.spacing_mm, self.framed_mm):
            _require(spacing is None or min(spacing) > 0, "spacing_mm", "three positive numbers", spacing)
        for size in (self.size, self.fitted):
            _require(size is None or min(size) > 0, "size", "three positive numbers", size)
        _require(self.fitted is None or self.dimension == 2, "fitted", "for single slices", self.fitted)
        sizes, strides = self.window.size, self.window.stride
        _require(sizes == (0, 0, 0) or min(sizes) > 0, "window size", "three positive numbers, or 0 0 0", sizes)
        _require(
            min(strides) > 0 and 0 <= self.window.overlap < 1, "window", "strides from 1 and an overlap from 0 to below 1", self.window
        )
        _require(self.window.blend in get_args(Blend), "window blend", "gaussian or constant", self.window.blend)
        _require(
            bool(self.runs) and all(set(run.flips) <= {0, 1, 2} and run.member >= 0 for run in self.runs), "runs", "one or more", self.runs
        )

    @property
    def classes(self) -> int:
        """Entries of an answer: the highest value and all below it."""
        return max((*self.labels.values(), *self.outputs)) + 1

    @property
    def members(self) -> int:
        """Networks in the file."""
        return max(run.member for run in self.runs) + 1

    def to_json(self) -> Json:
        """As plain numbers, strings, lists and objects."""
        return {KEY: VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, record: Json, name: str) -> "Description":
        """Inverse of `to_json`; fields that are left out are as usual.

        Raises:
            FormatError: It is none; the message begins with `name`.
        """
        try:
            if record.get(KEY) != VERSION:
                raise FormatError(f"its {KEY} must be {VERSION}, got {record.get(KEY)!r:.20}", remedy="update medloop, or export it again")
            given = {key: value for key, value in record.items() if key != KEY}
            if unknown := sorted(set(given) - {one.name for one in fields(cls)}):
                raise FormatError(f"a description of a network has no field {unknown[0]!r:.40}", remedy="leave it out")
            return cls(**{key: read_fact(key, value) for key, value in given.items()})
        except MedloopError as error:
            raise FormatError(f"{name}: {error.message}", remedy=error.remedy) from None
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            words = str(error).removeprefix("Description.__init__() ")[:120]
            raise FormatError(f"{name}: it is no description of a network ({words})", remedy="see the documentation of models") from None


def read_description(text: str | bytes, name: str) -> Description:
    """A description from its JSON.

    Raises:
        FormatError: It is none.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise FormatError(f"{name}: a description must be valid JSON, it is not", remedy="export it again") from None
    if not isinstance(record, dict):
        raise FormatError(f"{name}: a description must be a JSON object, got {type(record).__name__}", remedy="export it again")
    return Description.from_json(record, name)


def is_orientation(letters: str) -> bool:
    """Whether letters name one end of each world axis, or nothing."""
    return letters == "" or (
        len(letters) == 3 and sorted({"L": 0, "R": 0, "P": 1, "A": 1, "I": 2, "S": 2}.get(c, 9) for c in letters) == [0, 1, 2]
    )


_SHAPES, _SPACINGS = ("size", "fitted"), ("spacing_mm", "framed_mm")


def read_fact(key: str, value: Any) -> Any:
    """A field of a description from its plain value.

    Raises:
        FormatError: A value of another kind.
    """
    if value is None:
        return None
    if key in _SHAPES:
        return _three(value)
    if key in _SPACINGS:
        i, j, k = (float(mm) for mm in value)
        return i, j, k
    if key == "window":
        read: dict[str, Any] = {name: _three(one) if name in ("size", "stride") else one for name, one in value.items()}
        return Window(**read)
    if key == "runs":
        return tuple(Run(int(one["member"]), tuple(int(axis) for axis in one["flips"])) for one in value)
    if key == "intensities":
        return checked_steps(value)
    if key in ("outputs", "not_learned"):
        return tuple(int(one) for one in value)
    if key == "labels":
        return {str(name): int(one) for name, one in value.items()}
    if key == "regions":
        return {str(name): tuple(int(one) for one in values) for name, values in value.items()}
    return _plain(key, value)


def _plain(key: str, value: Any) -> Any:
    wanted = {"dimension": int, "channels": int, "heads": int, "normalise_first": bool, "calibration": dict, "origin": dict}.get(key, str)
    if not isinstance(value, wanted):
        raise FormatError(f"{key} must be {wanted.__name__}, got {value!r:.40}", remedy="export it again")
    return value


def _three(values: Any) -> Shape3:
    i, j, k = cast("tuple[int, int, int]", tuple(values))
    return triple((i, j, k))


def _require(holds: bool, what: str, rule: str, value: object) -> None:
    if not holds:
        raise FormatError(f"a network's {what} must be {rule}, got {value!r:.80}", remedy="correct the description")
