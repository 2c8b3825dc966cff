"""Recipes: the whole configuration of one training as a value, chosen from the data. Free of torch.

A `Fingerprint` says what a data set looks like (shapes, spacing, channels); `choose_recipe` turns it and
a time budget into a `Recipe`, in the manner of nnU-Net but for minutes on a CPU instead of days on a GPU.
`dataclasses.replace(recipe, steps=150)` overrides any choice; a recipe checks itself when made.

Source: Isensee et al. 2021, nnU-Net, doi:10.1038/s41592-020-01008-z, for the rules on spacing, patch and pooling.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from medloop.core.errors import InputError, SettingError
from medloop.core.geometry import Shape3, triple
from medloop.core.records import Json, TaskKind
from medloop.core.settings import AnnotatorModel, PromptEncoding, RobustTraining, Targets, UnlabelledLearning
from medloop.models.foundation.plans import Spacing, common_channels, plan_levels, plan_patch, plan_spacing, round_to

TRAINING_SECONDS_PER_VOXEL = 2.8e-6
"""CPU seconds to train on one voxel with 16 base features in bf16: 0.28 s for 2×32×48×32, measured on one core
of an AMD EPYC (Zen 4). Only shapes follow from it; how many steps fit is measured when training starts."""

MOST_MARKED_CLASSES = 127
"""A mask has room to mark the touched voxels of so many classes."""

FOLDING_MINUTES = 5.0
"""Minutes on one thread from which voxels are folded. A folded network takes two to three times as many steps in the same
time and ends higher after 12 minutes (hippocampus: Dice 0.881 against 0.877), but a minute is too short for it (demo: 0.57
against 0.62)."""

FRAMED = 2.0
"""Pictures count as zoomed to their object when their extents in mm vary more than this times their sizes in voxels."""

VARIED = 0.35
"""Pictures of unknown pixel size count as shown whole, however large they are, when their sizes vary by more than this (`_spread`)."""

NOBODY = -1
"""Index of an annotator who is not modelled: unknown, new, or without an annotator model."""

IN_A_RECIPE: tuple[UnlabelledLearning, ...] = ("none", "mean-teacher", "copy-paste")
"""Ways to learn from unlabelled cases that change how a network is trained; pseudo-labels are cases like others."""

BASE_FEATURES = 16
MAX_FEATURES = 256
FEATURES_3D = 128
"""Widest level in 3D: with 16-32-64-128 a U-Net has 1.4 million weights, which fits minutes of CPU time."""


class WeakWeights(NamedTuple):
    """How much what marks say counts in the loss of a case that is known by marks.

    Attributes:
        marked: Voxels whose class is marked.
        likely: Voxels whose class marks make likely; also in the Dice loss, which knows no weights, where above 0.
        excluded: Voxels that a label cannot have.
        tagged: Labels that are in an image, wherever.
        agreed: What the running mean of the weights decides where marks say little.
    """

    marked: float = 4.0
    likely: float = 1.0
    excluded: float = 1.0
    tagged: float = 0.1
    agreed: float = 0.5


USUAL_WEAK = WeakWeights()

LATER: Json = {
    "robust": "none",
    "weak_weights": USUAL_WEAK,
    "weak_learned": False,
    "regions": (),
    "augmented": 1.0,
    "fitted": False,
    "ewc": 0.0,
    "distillation": 0.0,
}
"""Fields that recipes did not have at first, and what those are that have no effect."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The whole configuration of a training.

    Attributes:
        kind: segmentation or classification.
        dimension: 2 when every image has one slice, else 3.
        channels: Channels of the images.
        classes: Outputs of the network; background included for a segmentation.
        spacing_mm: Spacing that images are resampled to; None keeps each image's own.
        framed_mm: Spacing that every image is taken to have in place of its own: for pictures zoomed to their object
            (`Fingerprint.framed`), where millimetres would undo the zoom. None goes by each image's own.
        fitted: Whether every picture is made as large as fits into the patch, its proportions kept (`Fingerprint.varied`).
        patch: Voxels the network sees at once (I, J, K); for a classification the size every image is resized to.
        fold: Neighbouring voxels per axis that become channels before the finest level; (1, 1, 1) folds none.
        features: Channels of each level, finest first.
        strides, kernels: Step and kernel size of each level per axis (I, J, K); the first stride is (1, 1, 1).
        dropout: Probability of dropping a channel at the coarse levels (for MC dropout).
        batch: Patches per step.
        steps: Steps of training; 0 means as many as fit into `minutes`, timed once at the start.
        minutes: Time budget of all members together, used only with `steps` 0.
        learning_rate, weight_decay: Of AdamW; warm-up, then cosine to zero.
        ema_decay: Of the running mean of the weights, which is what gets validated and kept.
        clip: Largest norm of a gradient.
        foreground: Share of patches centred on a labelled structure.
        flips: Axes that may be mirrored, in training and at prediction.
        augmentation: Strength of the augmentation, 0 none, 1 usual.
        augmented: How many times as often as usual a patch is changed, each kind of change by itself: more for few annotated cases is
            being measured (benchmarks/results/semi_supervised.md).
        remapped: Share of patches whose grey values go through a random curve: for sets that mix contrasts, or for images of a
            contrast that no annotated case has yet; where contrast tells structures apart it costs accuracy (benchmarks/results/clicks.md).
        validations: How often the members are validated during training; the best weights are kept.
        checkpoint_seconds: Longest time of work lost by a crash; 0 writes a checkpoint after every step.
        members: Networks of the ensemble.
        heads: Answers of one network in one pass (`models.heads`); 1 is an ordinary network. Segmentation only.
        threads: Threads of one network.
        precision: float32, bfloat16, or auto: bf16 where the processor has it, and under a time budget only where it is quicker.
        guided: Whether a segmentation network also takes prompts and a previous mask; without them it predicts by itself.
        hints: How an interactive network is shown prompts: euclidean or geodesic distance, or discs.
        touched_weight: How much a voxel that a person has drawn over counts against one merely accepted; see `TrainingCase.touched`.
        seed: Root of all randomness.
        rrr: Weight of the penalty on evidence from regions that people called irrelevant (right for the right reasons); 0 is off.
        annotator_model: What is learned of each annotator with the network; see `models.foundation.confusions`.
        annotators: How many annotators are modelled; 0 without an annotator model.
        targets: Whether cases that have `TrainingCase.soft` are learned by it.
        weak_weights: What the kinds of marks count, see `WeakWeights`.
        weak_learned: Whether these are only what they count at first; see `models.foundation.weak_balance`.
        unlabelled: How unlabelled cases are learned from, one of `IN_A_RECIPE`; see `models.training.consistency`.
        robust: How wrong annotations are stood; see `models.foundation.robust_losses` and `models.training.small_loss`.
        regions: Where labels lie inside others (`core.labels`): of each foreground class, in order, itself and the classes inside it;
            () where each class stands alone.
        ewc, distillation: How much is kept of the model that a training goes on from; see `models.training.anchor`.
    """

    kind: TaskKind
    dimension: int
    channels: int
    classes: int
    spacing_mm: Spacing | None
    patch: Shape3
    features: tuple[int, ...]
    strides: tuple[Shape3, ...]
    kernels: tuple[Shape3, ...]
    framed_mm: Spacing | None = None
    fitted: bool = False
    fold: Shape3 = (1, 1, 1)
    dropout: float = 0.1
    batch: int = 2
    steps: int = 0
    minutes: float = 10.0
    learning_rate: float = 5e-3
    weight_decay: float = 1e-2
    ema_decay: float = 0.995
    clip: float = 3.0
    foreground: float = 0.5
    flips: tuple[int, ...] = (0,)
    augmentation: float = 1.0
    remapped: float = 0.0
    validations: int = 4
    checkpoint_seconds: float = 30.0
    members: int = 1
    heads: int = 1
    threads: int = 1
    precision: str = "auto"
    guided: bool = False
    hints: PromptEncoding = "euclidean"
    touched_weight: float = 1.0
    seed: int = 0
    rrr: float = 0.0
    annotator_model: AnnotatorModel = "none"
    annotators: int = 0
    targets: Targets = "hard"
    unlabelled: UnlabelledLearning = "none"
    robust: RobustTraining = "none"
    weak_weights: WeakWeights = USUAL_WEAK
    weak_learned: bool = False
    regions: tuple[tuple[int, ...], ...] = ()
    augmented: float = 1.0
    ewc: float = 0.0
    distillation: float = 0.0

    def __post_init__(self) -> None:
        levels, shares = len(self.features), (self.dropout, self.foreground, self.remapped)
        _require(not self.fitted or self.dimension == 2, "fitted", "off for volumes", self.fitted)
        _require(self.kind in ("segmentation", "classification"), "kind", "segmentation or classification", self.kind)
        _require(self.dimension in (2, 3), "dimension", "2 or 3", self.dimension)
        _require(min(self.channels, self.batch, self.members, self.threads) >= 1, "channels, batch, members, threads", "at least 1", self)
        _require(self.heads == 1 or (self.heads > 1 and self.kind == "segmentation"), "heads", "1, or more in a segmentation", self.heads)
        _require(self.classes >= 2, "classes", "at least 2", self.classes)
        _require(levels >= 2 and len(self.strides) == levels == len(self.kernels), "features, strides, kernels", "equally long", self)
        _require(self.steps > 0 or (self.steps == 0 and self.minutes > 0), "steps or minutes", "positive", (self.steps, self.minutes))
        _require(self.dimension == 3 or self.patch[2] == 1, "patch", "one slice thick for 2D", self.patch)
        _require(all(p % s == 0 for p, s in zip(self.patch, self.stride, strict=True)), "patch", f"a multiple of {self.stride}", self.patch)
        within = self.dropout < 1 and all(0 <= share <= 1 for share in shares)
        _require(within, "dropout, foreground, remapped", "shares, dropout below 1", shares)
        _require(set(self.flips) <= set(range(self.dimension)), "flips", f"axes below {self.dimension}", self.flips)
        _require(not self.guided or self.kind == "segmentation", "guided", "off for a classification", self.guided)
        _require(self.hints in get_args(PromptEncoding), "hints", "euclidean, geodesic or discs", self.hints)
        _require(0 <= self.rrr < float("inf"), "rrr", "0 or a positive weight", self.rrr)
        _require(self.touched_weight >= 1, "touched_weight", "at least 1", self.touched_weight)
        has_room = self.touched_weight == 1 or self.classes <= MOST_MARKED_CLASSES
        _require(has_room, "touched_weight", "1 with that many classes", self.touched_weight)
        _require(self.annotator_model in get_args(AnnotatorModel), "annotator_model", "one of those known", self.annotator_model)
        modelled = self.annotators == 0 if self.annotator_model == "none" else self.annotators >= 2
        _require(modelled, "annotators", "2 or more with an annotator model, else 0", (self.annotator_model, self.annotators))
        _require(0 <= self.augmented < float("inf"), "augmented", "0 or more", self.augmented)
        _require(self.targets in get_args(Targets), "targets", "hard or soft", self.targets)
        _require(self.targets == "hard" or not self.annotators, "targets", "hard with an annotator model", self.targets)
        _require(self.unlabelled in IN_A_RECIPE, "unlabelled", " or ".join(IN_A_RECIPE), self.unlabelled)
        weighed = len(self.weak_weights) == len(USUAL_WEAK) and min(self.weak_weights) >= 0
        _require(weighed, "weak_weights", f"{len(USUAL_WEAK)} weights of 0 or more", self.weak_weights)
        _require(not self.weak_learned or self.kind == "segmentation", "weak_learned", "off in a classification", self.weak_learned)
        pasted = self.unlabelled == "copy-paste"
        pastes = self.kind == "segmentation" and not self.annotators
        _require(pastes or not pasted, "unlabelled", "none or mean-teacher in a classification or with annotators", self.unlabelled)
        _require(self.robust in get_args(RobustTraining), "robust", "one of those known", self.robust)
        _require(self.robust == "none" or not self.annotators, "robust", "none with an annotator model", self.robust)
        _require(self.robust != "small-loss" or not pasted, "robust", "none or robust-loss with copy-paste", self.robust)
        _require_regions(self.regions, self.classes)
        kept = (self.ewc, self.distillation)
        _require(all(0 <= weight < float("inf") for weight in kept), "ewc, distillation", "0 or positive weights", kept)
        _require(self.precision in ("auto", "float32", "bfloat16"), "precision", "auto, float32 or bfloat16", self.precision)

    @property
    def identity(self) -> Json:
        """What a checkpoint is bound to: without fields that came later, where they have no effect, so that older trainings go on."""
        return {name: value for name, value in self.to_json().items() if name not in LATER or value != LATER[name]}

    @property
    def guidance(self) -> int:
        """Channels that an interactive network takes beside the image: previous foreground, prompts of all classes, boxes."""
        return 3 * self.classes - 2 if self.guided else 0

    @property
    def inputs(self) -> int:
        """Channels that enter the network."""
        return self.channels + self.guidance

    @property
    def stride(self) -> Shape3:
        """Voxels per voxel of the coarsest level, per axis; image sizes are padded to a multiple of it."""
        return triple(np.prod([self.fold, *self.strides], axis=0))

    def to_json(self) -> Json:
        """The recipe as plain numbers, strings and lists."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Json) -> "Recipe":
        """Inverse of `to_json`.

        Raises:
            SettingError: With a field missing, unknown, or outside its allowed values.
        """
        names = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(record) - names):
            raise SettingError(f"A recipe has no field {unknown[0]!r}", remedy="it was written by another version of medloop")
        try:
            return cls(**{name: _tupled(value) for name, value in record.items()})
        except TypeError as error:
            raise SettingError(f"Not a recipe: {error}", remedy="it was written by another version of medloop") from error


def _require(holds: bool, what: str, rule: str, value: object) -> None:
    if not holds:
        raise SettingError(f"A recipe needs {what} to be {rule}, got {value}")


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class CaseShape:
    """Size of one case: voxels (I, J, K), spacing in mm, number of channels."""

    shape: Shape3
    spacing_mm: Spacing
    channels: int


@dataclass(frozen=True)
class Fingerprint:
    """What a data set looks like.

    Attributes:
        cases: How many cases it was taken from.
        channels: Channels at which every case can be read.
        shape: Median voxels per axis, each case in its own spacing.
        spacing_mm: Median spacing per axis.
        uniform: Whether every case has the median spacing within 5 % per axis.
        framed: Whether pictures are zoomed to their object: in voxels their sizes agree, in mm they do not.
        varied: Whether nothing tells the pixel size of pictures and they differ much in size, as such cut around their object do.
    """

    cases: int
    channels: int
    shape: Shape3
    spacing_mm: Spacing
    uniform: bool
    framed: bool = False
    varied: bool = False

    @property
    def dimension(self) -> int:
        """2 when most cases have a single slice along K, else 3."""
        return 2 if self.shape[2] == 1 else 3


def fingerprint(cases: Sequence[CaseShape]) -> Fingerprint:
    """Summarise the shapes of a data set.

    Raises:
        InputError: Without cases, or when they differ in their number of channels (grey pictures count as coloured beside such).
    """
    if not cases:
        raise InputError("A fingerprint needs at least one case, got none", remedy="import images first")
    shapes = np.array([case.shape for case in cases], dtype=np.float64)
    spacings = np.array([case.spacing_mm for case in cases], dtype=np.float64)
    found = {case.channels for case in cases}
    channels = common_channels(found, dimension=2 if (shapes[:, 2] == 1).all() else 3)
    if channels is None:
        raise InputError(f"All cases must have the same number of channels, got {sorted(found)}")
    spacing = np.median(spacings, axis=0)
    shape = np.maximum(1, np.round(np.median(shapes, axis=0))).astype(int)
    uniform = bool((np.abs(spacings / spacing - 1) <= 0.05).all())
    framed = int(shape[2]) == 1 and _spread(shapes * spacings) > FRAMED * max(_spread(shapes), 0.05)
    varied = int(shape[2]) == 1 and bool((spacings == 1).all()) and _spread(shapes) > VARIED
    return Fingerprint(len(cases), channels, triple(shape), _spacing(spacing), uniform, framed, varied)


def _spread(sizes: npt.NDArray[np.float64]) -> float:
    """Typical factor - 1 between two sizes in plane: the standard deviation of their logarithms."""
    return float(np.log(sizes[:, :2]).std(axis=0).mean())


def _spacing(values: npt.NDArray[np.number[Any]]) -> Spacing:
    return (float(values[0]), float(values[1]), float(values[2]))


def _require_regions(regions: tuple[tuple[int, ...], ...], classes: int) -> None:
    own = all(held and held[0] == place and set(held) <= set(range(1, classes)) for place, held in enumerate(regions, start=1))
    _require(not regions or (own and len(regions) == classes - 1), "regions", "of each foreground class, itself first, or empty", regions)


def choose_recipe(found: Fingerprint, *, kind: TaskKind, classes: int, minutes: float, threads: int, seed: int, members: int = 1) -> Recipe:
    """A recipe for these data that makes good use of the time.

    Steps are left at 0: training times itself once at the start and plans as many as fit into `minutes`.

    Args:
        found: The data's fingerprint.
        kind: What every case is annotated with.
        classes: Outputs of the network (`Task.classes`).
        minutes: Time for all members together, on `threads` threads.
        threads: Threads of one network.
        seed: Root of all randomness.
        members: Networks of the ensemble.

    Raises:
        SettingError: For a value outside its range.
    """
    _require(minutes > 0, "minutes", "positive", minutes)
    _require(members >= 1 and threads >= 1, "members and threads", "at least 1", (members, threads))
    voxels = minutes * 60 / members * threads**0.7 / TRAINING_SECONDS_PER_VOXEL
    wanted = 400 * minutes**0.4
    smallest_batch = 2 if found.dimension == 3 else 8
    room = voxels / wanted / smallest_batch
    if kind == "classification":
        room = min(room, 128.0**2 if found.dimension == 2 else 64.0**3)
    # A picture is always seen whole: what it shows fills it, and a network that sees half of a head cannot tell which half (fetal heads,
    # 300 steps: Dice 0.95 seen whole, 0.85 by halves). A volume is seen whole in a minute, in parts when there is time for detail.
    coverage = 1.0 if found.dimension == 2 else float(np.clip(minutes**-0.6, 0.25, 1.0))
    alike = found.uniform or found.framed
    spacing, shape = plan_spacing(found.shape, found.spacing_mm, room=room, uniform=alike, coverage=coverage)
    wish = plan_patch(shape, spacing or found.spacing_mm, room=room)
    strides, kernels = plan_levels(wish, spacing or found.spacing_mm)
    widest = FEATURES_3D if found.dimension == 3 else MAX_FEATURES
    features = tuple(min(BASE_FEATURES * 2**level, widest) for level in range(len(strides)))
    patch = round_to(wish, strides)
    fold: Shape3 = (1, 1, 1)
    if kind == "segmentation" and len(strides) > 2 and minutes / members * threads**0.7 >= FOLDING_MINUTES:
        fold, strides, kernels, features = strides[1], (fold, *strides[2:]), kernels[1:], features[1:]
    batch = int(np.clip(voxels / float(np.prod(patch)) / 4000, smallest_batch, 4 * smallest_batch))
    return Recipe(
        kind=kind, dimension=found.dimension, channels=found.channels, classes=classes,
        spacing_mm=spacing if kind == "segmentation" and not found.varied else None, framed_mm=found.spacing_mm if found.framed else None,
        fitted=kind == "segmentation" and found.varied, patch=patch, fold=fold, features=features, strides=strides,
        kernels=kernels, batch=batch, minutes=minutes, threads=threads, seed=seed, members=members,
        dropout=0.1 if kind == "segmentation" else 0.3,
        learning_rate=5e-3 if kind == "segmentation" else 1e-3,
    )  # fmt: skip
