"""A project's settings, each declared once: default, range or choices, flag, when a change takes effect, and help.

`medloop init`, `medloop configure`, REST, the checks and the table in the docs are all made from these declarations.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from medloop.core.declaring import OLDER_NAMES, Setting, SettingValue, by_any_name, current_value, declared, setting
from medloop.core.errors import SettingError
from medloop.core.names import nearest_names
from medloop.core.templates import check_template

WarmStart: TypeAlias = Literal["scratch", "all", "new", "replay", "misclassified"]
ReplayChoice: TypeAlias = Literal["random", "reservoir", "herding"]
Stream: TypeAlias = Literal["off", "fixed", "rate", "variable", "learned"]
StreamLabels: TypeAlias = Literal["mean", "each"]
QueryUnit: TypeAlias = Literal["case", "slice", "region", "superpixel", "best"]
ColdStart: TypeAlias = Literal["descriptors", "selfsup"]
Aggregation: TypeAlias = Literal["mean", "sum", "top", "foreground", "contour", "classes", "box"]
UncertaintySource: TypeAlias = Literal["all", "softmax", "dropout", "flips", "ensemble"]
ImageAdaptation: TypeAlias = Literal["none", "prompts", "image"]
ProbabilityScaling: TypeAlias = Literal["temperature", "none"]
AnnotatorModel: TypeAlias = Literal["none", "crowd-layer", "confusion", "pixel"]
Targets: TypeAlias = Literal["hard", "soft"]
Release: TypeAlias = Literal["unless-worse", "gate"]
UnlabelledLearning: TypeAlias = Literal["none", "pseudo-labels", "mean-teacher", "copy-paste"]
RobustTraining: TypeAlias = Literal["none", "robust-loss", "small-loss"]
Learner: TypeAlias = Literal["builtin", "nnunet"]
GivenKind: TypeAlias = Literal["mask", "scribbles", "boxes", "points", "extreme-points", "superpixels", "tags"]
Pretraining: TypeAlias = Literal["none", "pool", "file"]
PromptEncoding: TypeAlias = Literal["euclidean", "geodesic", "discs"]
ProposalTiming: TypeAlias = Literal["at-once", "after-first-stroke", "random"]
Routing: TypeAlias = Literal["none", "value"]
ReviewPolicy: TypeAlias = Literal["none", "disagreement", "all"]
ConsensusMethod: TypeAlias = Literal[
    "latest", "majority", "weighted", "dawid_skene", "glad", "staple", "staple_cases", "simple", "shape_based", "locally_weighted"
]
Identifiers: TypeAlias = Literal["removed", "kept"]
CaseNames: TypeAlias = Literal["source", "keyed"]
PromptEngine: TypeAlias = Literal["auto", "nninteractive"]
ObjectsOfLabels: TypeAlias = Literal["merged", "apart"]

ALREADY_MADE = "is decided when a project is made"


@by_any_name
@dataclass(frozen=True, kw_only=True)
class ProjectSettings:
    """What a project's loop does by itself; `SETTINGS` tells each one's meaning, range and flag."""

    strategy: str = setting(
        "", "How to choose cases: a name of medloop strategies, fusion:A+B (ranks added up) or bandit:A+B (one per round).",
        "--strategy", "next query",
        shown_default="foreground; random for a classification",
    )  # fmt: skip
    first_strategy: str = setting(
        "random", "How to choose before there is a model; may need features only.", "--first-strategy", "next query"
    )
    batch_size: int = setting(4, "Cases per round.", "--batch", "next query", low=1, high=10_000)
    query_unit: QueryUnit = setting(
        "case", "What is queried of an image that a model has seen: all of it, its most uncertain slices, regions of 20 mm or superpixels, "
        "or whichever of these, marks in place of a mask and a look at the proposal is worth most per predicted minute (best).",
        "--query-unit", "next query", choices=get_args(QueryUnit),
    )  # fmt: skip
    query_label: str = setting(
        "", "A label: annotated cases that lack it are queried for it alone, before unlabelled cases (segmentation).",
        "--query-label", "next query", longest=80, shown_default="every label of unlabelled cases",
    )  # fmt: skip
    query_parts: int = setting(1, "Slices, regions or superpixels queried per case.", "--query-parts", "next query", low=1, high=100)
    template: str = setting(
        "", "The frames or slices that are annotated of each training case, in place of the whole: names with places "
        "(end-diastole@first, end-systole@40%), names alone, first, middle, last, evenly:K or every:N (segmentation).",
        "--template", "at once", longest=300, shown_default="the whole case",
    )  # fmt: skip
    stream: Stream = setting(
        "off", "The rule that judges each case when it arrives, annotate now or keep unlabelled, in place of queries from the pool.",
        "--stream", "at once", choices=get_args(Stream),
    )  # fmt: skip
    stream_budget: float = setting(
        0.2, "Share of the arriving cases that people have time to annotate.", "--stream-budget", "at once", low=0.01, high=0.99
    )
    stream_risk: float = setting(
        0.0, "Arriving cases are accepted without a look, deferred to a reader or sent to two, so that at most this share of the accepted "
        "is bad; 0 decides nothing.", "--stream-risk", "at once", low=0, high=0.5,
    )  # fmt: skip
    stream_sure: float = setting(
        0.9,
        "How sure that promise must be, by the patients that the model was evaluated on.",
        "--stream-sure",
        "at once",
        low=0.5,
        high=0.999,
    )
    stream_good: float = setting(
        0.7, "Score (Dice; 1 for a right class) below which an accepted proposal is bad.", "--stream-good", "at once", low=0.01, high=1
    )
    stream_labels: StreamLabels = setting(
        "mean", "Of a mask with several labels, what must reach stream_good: the mean of their scores, or each of them.", "--stream-labels",
        "at once", choices=get_args(StreamLabels),
    )  # fmt: skip
    stream_hard: float = setting(0.5, "Score below which two people should read a case.", "--stream-hard", "at once", low=0, high=1)
    stream_audit: float = setting(
        0.1, "Share of the arriving patients that people read blind, whatever the stream decides.", "--stream-audit", "next import",
        low=0.01, high=1,
    )  # fmt: skip
    start_size: int = setting(0, "Cases of the first round; 0: as many as later.", "--start-size", "next query", low=0, high=10_000)
    train_after: int = setting(
        2,
        "New annotations, or cases where these need more than one, that start a training within a round; 0 waits for its end.",
        "--train-after",
        "at once",
        low=0,
        high=10_000,
    )
    validation_fraction: float = setting(
        0.1, "Share of labelled patients kept for validation.", "--validation", "next import", low=0, high=0.5
    )
    test_fraction: float = setting(0.15, "Share of labelled patients kept for testing.", "--test", "next import", low=0, high=0.8)
    audit_fraction: float = setting(
        0.1, "Share of unlabelled patients annotated for evaluation only.", "--audit", "next import", low=0, high=0.5
    )
    learner: Learner = setting(
        "builtin", "What learns from the annotations: networks of medloop's own, made for minutes on a CPU, or nnU-Net by its own plans in "
        "the environment that MEDLOOP_NNUNET_PYTHON names (segmentation).", "--learner", "next training", choices=get_args(Learner),
    )  # fmt: skip
    train_minutes: float = setting(
        10.0, "Minutes aimed at for one training; 50 steps are made in any case.", "--minutes", "next training", low=0.05, high=10_000
    )
    train_steps: int = setting(0, "Steps of one training; 0 leaves them to the time.", "--steps", "next training", low=0, high=10_000_000)
    warm_start: WarmStart = setting(
        "scratch", "What a training begins with: from scratch on all annotations, or from the live model on these.", "--training",
        "next training", choices=get_args(WarmStart), shorthand=("--warm-start", "all"),
    )  # fmt: skip
    learn_group: str = setting(
        "", "Of a training that goes on from a model: the group whose cases are new to it, as site=B, by what tables say of the cases.",
        "--learn-group", "next training", longest=120, shown_default="what was annotated since",
    )  # fmt: skip
    replay_cases: int = setting(
        0, "With replay, how many older cases are learned again; 0: as many as are new.", "--replay-cases", "next training", low=0,
        high=1_000_000,
    )  # fmt: skip
    replay_choice: ReplayChoice = setting(
        "random", "With replay, which: drawn anew each time (random), drawn once and kept (reservoir), or those whose mean lies closest "
        "to that of all, in the model's features (herding).", "--replay-choice", "next training", choices=get_args(ReplayChoice),
    )  # fmt: skip
    ewc: float = setting(
        0.0, "Of a training that goes on from a model: how strongly the weights that mattered to it are held (EWC); 0 holds none, 1 is a "
        "start.", "--ewc", "next training", low=0, high=1e6,
    )  # fmt: skip
    distillation: float = setting(
        0.0, "Of a training that goes on from a model: how much counts what that model says of its own labels in the cases learned; 0 "
        "nothing, 1 is a start.", "--distillation", "next training", low=0, high=1e6,
    )  # fmt: skip
    cold_start: ColdStart = setting(
        "descriptors", "Features before there is a model: of the images themselves, or of a network trained on them.", "--cold-start",
        "next query", choices=get_args(ColdStart),
    )  # fmt: skip
    pretraining: Pretraining = setting(
        "none", "What networks begin with where they go on from no model: random weights; weights that learned from the pool's images "
        "before any annotation (pool); or those that medloop pretrain --from brought (file).", "--pretraining", "next training",
        choices=get_args(Pretraining),
    )  # fmt: skip
    members: int = setting(1, "Networks per model (ensemble), trained one after the other.", "--members", "next training", low=1, high=20)
    samples: int = setting(
        6, "Samples drawn per case for its uncertainty (dropout and flips).", "--samples", "next training", low=1, high=100
    )
    uncertainty_source: UncertaintySource = setting(
        "all", "What the samples of a prediction differ in: members, then flips, then dropout (all), one of these, or nothing (softmax).",
        "--uncertainty", "next training", choices=get_args(UncertaintySource),
    )  # fmt: skip
    aggregation: Aggregation = setting(
        "mean", "How uncertainty per voxel becomes uncertainty per case.", "--aggregation", "next training", choices=get_args(Aggregation)
    )
    calibration: ProbabilityScaling = setting(
        "temperature", "How a model's probabilities are calibrated on validation patients, where there are enough of them.",
        "--calibration", "next training", choices=get_args(ProbabilityScaling),
    )  # fmt: skip
    unlabelled: UnlabelledLearning = setting(
        "none", "What trainings learn from unlabelled training cases: nothing; the live model's surest predictions (pseudo-labels); to "
        "agree with the running mean of their own weights (mean-teacher), or with it where unlabelled and annotated patches are mixed "
        "(copy-paste, segmentation).", "--unlabelled", "next training", choices=get_args(UnlabelledLearning),
        shorthand=("--pseudo-labels", "pseudo-labels"),
    )  # fmt: skip
    robust: RobustTraining = setting(
        "none", "How trainings stand wrong annotations: not at all; by losses in which single voxels weigh little (robust-loss); or by "
        "leaving out the cases that stay far harder to learn than the others (small-loss).", "--robust", "next training",
        choices=get_args(RobustTraining),
    )  # fmt: skip
    mark_weights: str = setting(
        "", "What marks in place of masks count in training, as name=weight, …: marked, likely, excluded, tagged, agreed. Left out, the "
        "usual weights. With the word learned they are learned, from these on.",
        "--mark-weights", "next training", longest=120, shown_default="the usual ones",
    )  # fmt: skip
    bias_correction: bool = setting(
        False, "Weigh drawn cases in training so that they stand for the whole pool.", "--bias-correction", "next training"
    )
    interactive_network: bool = setting(
        False, "Train interactive networks, which also take clicks, scribbles and boxes (segmentation).", "--interactive-network",
        "next training",
    )  # fmt: skip
    prompt_engine: PromptEngine = setting(
        "auto", "Who answers prompts: the project's own engines, or the nnInteractive server that model-servers.toml lists.",
        "--prompt-engine", "at once", choices=get_args(PromptEngine),
    )  # fmt: skip
    prompt_encoding: PromptEncoding = setting(
        "euclidean", "How clicks and strokes reach interactive networks: as distances, as distances that edges lengthen, or as discs.",
        "--prompt-encoding", "next training", choices=get_args(PromptEncoding),
    )  # fmt: skip
    adaptation: ImageAdaptation = setting(
        "none", "Whether interactive networks are adapted to each image: to its prompts, or also to its edges (image).",
        "--adaptation", "at once", choices=get_args(ImageAdaptation),
    )  # fmt: skip
    any_label: bool = setting(
        False, "Train a second network whose prompts segment any structure, also of labels that no annotation has (segmentation).",
        "--any-label", "next training",
    )  # fmt: skip
    correction_weight: float = setting(
        1.0, "How much voxels drawn over count in training against proposed ones merely accepted.", "--correction-weight",
        "next training", low=1, high=100,
    )  # fmt: skip
    annotator_model: AnnotatorModel = setting(
        "none", "What is learned of each annotator with the network, from everybody's annotations of every case: nothing, or which classes "
        "they confuse, everywhere alike or voxel by voxel (pixel).",
        "--annotator-model", "next training", choices=get_args(AnnotatorModel),
    )  # fmt: skip
    explanation_penalty: float = setting(
        0.0, "Weight of what people call irrelevant in explanations; 0 ignores it, 30 is a start.", "--explanation-penalty",
        "next training", low=0, high=1e6,
    )  # fmt: skip
    budget_labels: int = setting(
        0, "Annotations after which to advise stopping; 0 for no limit.", "--budget-labels", "at once", low=0, high=100_000_000
    )
    budget_minutes: float = setting(
        0.0, "Minutes of work after which to advise stopping; 0 for no limit.", "--budget-minutes", "at once", low=0, high=1e9
    )
    budget_money: float = setting(
        0.0, "Cost of work after which to advise stopping; 0 for no limit.", "--budget-money", "at once", low=0, high=1e12
    )
    target_score: float = setting(
        0.0, "Advise stopping once the lower 95 % bound of the score reaches this; 0 for none.", "--target-score", "at once", low=0, high=1
    )
    release: Release = setting(
        "unless-worse", "When a new model takes the place of the one in use: unless it is shown to be worse (unless-worse), or once it is "
        "shown not to be worse in all, for each label and in each subgroup (gate), else it waits for a person.", "--release", "at once",
        choices=get_args(Release),
    )  # fmt: skip
    release_margin: float = setting(
        0.02, "With the gate, how much lower the mean score over all cases may be, in Dice or accuracy.", "--release-margin", "at once",
        low=0, high=1,
    )  # fmt: skip
    release_group_margin: float = setting(
        0.05, "The same for each label and subgroup, and for calibration.", "--release-group-margin", "at once", low=0, high=1,
    )  # fmt: skip
    release_slowdown: float = setting(
        2.0, "With the gate, how many times the time and memory of the model in use a proposal may take.", "--release-slowdown", "at once",
        low=1, high=1000,
    )  # fmt: skip
    release_canary: float = setting(
        0.0, "With the gate, share of the training cases that open with a candidate's proposals first, so that the work on them is "
        "compared before a person releases it; 0 for no such trial.", "--release-canary", "at once", low=0, high=0.9,
    )  # fmt: skip
    readings: int = setting(1, "How many people read a case, each on their own.", "--readings", "at once", low=1, high=9)
    read_twice: float = setting(
        0.0, "Share of the cases, drawn by their ids, that get one reading more.", "--read-twice", "at once", low=0, high=1
    )
    blind: bool = setting(
        False, "Show nobody's annotation of a case, nor the consensus, to whoever has not read it yet.", "--blind", "at once"
    )
    proposals: ProposalTiming = setting(
        "at-once", "When a proposal of a mask is shown: from the start, after the annotator's own first stroke (who sees it first leans on "
        "it), or either at random, to compare both.", "--proposals", "at once", choices=get_args(ProposalTiming),
    )  # fmt: skip
    minimum_agreement: float = setting(
        0.7, "Agreement of the readings below which a case goes to review: mean Dice of every two people, of the label with the lowest; "
        "for classes the share of the most frequent one.", "--minimum-agreement", "at once", low=0, high=1,
    )  # fmt: skip
    review: ReviewPolicy = setting(
        "none", "Which cases a reviewer must approve: none, those with too little agreement, or all.", "--review", "at once",
        choices=get_args(ReviewPolicy),
    )  # fmt: skip
    consensus: ConsensusMethod = setting(
        "latest", "How several readings become one annotation: the latest counts, or they are fused.", "--consensus", "at once",
        choices=get_args(ConsensusMethod),
    )  # fmt: skip
    routing: Routing = setting(
        "none", "Who reads what: whoever comes first, or those whose reading is worth most beyond its cost (value).", "--routing",
        "at once", choices=get_args(Routing),
    )  # fmt: skip
    sure_enough: float = setting(
        0.9, "With routing, the expected quality (Dice, or probability of the class) at which a case needs no more readings.",
        "--sure-enough", "at once", low=0.5, high=0.999,
    )  # fmt: skip
    case_worth: float = setting(
        0.0, "With routing, what raising the quality of a case from 0 to 1 is worth, in the unit of the rates; 0 takes fifty times the "
        "dearest reading of it.", "--case-worth", "at once", low=0, high=1e12,
    )  # fmt: skip
    gold_rate: float = setting(
        0.0, "Share of the cases handed to each person that are gold cases, whose truth is known.", "--gold-rate", "at once",
        low=0, high=0.5,
    )  # fmt: skip
    tutorial: int = setting(
        0, "Gold cases that somebody new reads first, with feedback, before real work.", "--tutorial", "at once", low=0, high=100
    )
    tutorial_score: float = setting(
        0.8, "Mean score (Dice, or share of right classes) that ends the tutorial.", "--tutorial-score", "at once", low=0, high=1
    )
    targets: Targets = setting(
        "hard", "What trainings learn of a case with a fused consensus: its labels, or how probable each label is (soft), which keeps "
        "disagreement.", "--targets", "next training", choices=get_args(Targets),
    )  # fmt: skip
    identifiers: Identifiers = setting(
        "removed", "What an import keeps of DICOM headers: pseudonyms, new UIDs and terms (removed), or UIDs, texts and names as they "
        "are (kept).", "--identifiers", "next import", choices=get_args(Identifiers), shorthand=("--keep-identifiers", "kept"),
    )  # fmt: skip
    case_names: CaseNames = setting(
        "source", "What new cases and patients are called: by their files, folders and tables, or by words that only this project's key "
        "makes of these (keyed).", "--case-names", "next import", choices=get_args(CaseNames),
    )  # fmt: skip
    objects: ObjectsOfLabels = setting(
        "merged", "Objects of one label: merged, since only the label counts, or kept apart, so that exports number each (segmentation).",
        "--objects", "at once", choices=get_args(ObjectsOfLabels),
    )  # fmt: skip
    retention_days: int = setting(
        0, "Days after which the image of a case is to be removed, while its annotations and history stay; 0 keeps images for ever.",
        "--retention-days", "at once", low=0, high=36_500,
    )  # fmt: skip
    retention_by_worker: bool = setting(
        False, "Let workers remove the images that are due; else medloop retention DIR remove does it.", "--retention-by-worker", "at once"
    )
    seed: int = setting(0, "Root of all randomness.", "--seed", "never", low=-(2**31), high=2**31)


SETTINGS: Mapping[str, Setting] = declared(ProjectSettings)
"""Every setting by name, in order."""


MOST_WEIGHT = 1000.0

MARK_WEIGHTS = ("marked", "likely", "excluded", "tagged", "agreed")
"""What marks say of voxels and images, see docs/weak-labels.md."""

LEARNED = "learned"
"""Among `mark_weights`: they are learned."""


def mark_weights(text: str) -> dict[str, float]:
    """The weights that a setting `mark_weights` gives, by name; those left out are the usual ones.

    Raises:
        SettingError: An unknown name, one given twice, or a weight that is no number from 0 to 1000.
    """
    found: dict[str, float] = {}
    for part in _mark_words(text):
        if part == LEARNED:
            continue
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in MARK_WEIGHTS or name in found:
            rule = f"mark_weights gives each of {', '.join(MARK_WEIGHTS)} one weight at most, got {part!r}"
            raise SettingError(rule, remedy="write it as likely=0.5,tagged=0, or learned")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = math.nan
        if not 0 <= found[name] <= MOST_WEIGHT:
            raise SettingError(f"A weight of mark_weights lies between 0 and {MOST_WEIGHT:g}, got {part!r}", remedy="0 leaves it out")
    if found and len(found) == len(MARK_WEIGHTS) and not any(found.values()):
        raise SettingError("mark_weights must leave something to learn, got 0 for everything", remedy="give marked a weight")
    return found


def learns_mark_weights(text: str) -> bool:
    """Whether a setting `mark_weights` has its weights learned; see `medloop.models.foundation.weak_balance`."""
    return LEARNED in _mark_words(text)


def _mark_words(text: str) -> list[str]:
    return [word for word in (one.strip() for one in text.split(",")) if word]


def check_settings(settings: ProjectSettings) -> None:
    """Refuse settings outside their ranges and choices; names of strategies are checked where strategies are known.

    Raises:
        SettingError: Naming the first one that is off.
    """
    for name, one in SETTINGS.items():
        one.check(getattr(settings, name))
    held_out = settings.validation_fraction + settings.test_fraction
    if settings.uncertainty_source == "ensemble" and settings.members < 2:
        raise SettingError(f"uncertainty_source ensemble needs members of 2 or more, got {settings.members}")
    if settings.learner == "nnunet" and settings.uncertainty_source == "dropout":
        raise SettingError("nnU-Net has no dropout, got uncertainty_source dropout", remedy="set uncertainty_source=all or learner=builtin")
    _check_targets(settings)
    _check_template(settings)
    _check_continual(settings)
    _check_canary(settings)
    _check_stream(settings)
    mark_weights(settings.mark_weights)
    if settings.unlabelled == "copy-paste" and settings.annotator_model != "none":
        rule = f"copy-paste takes annotations for the truth, annotator_model {settings.annotator_model} does not"
        raise SettingError(rule, remedy="set unlabelled=mean-teacher")
    if settings.robust != "none" and settings.annotator_model != "none":
        rule = f"annotator_model {settings.annotator_model} models wrong annotations already, robust {settings.robust} does not go with it"
        raise SettingError(rule, remedy="set robust=none or annotator_model=none")
    if settings.robust == "small-loss" and settings.unlabelled == "copy-paste":
        rule = "robust small-loss judges cases one by one, unlabelled copy-paste mixes them"
        raise SettingError(rule, remedy="set robust=robust-loss or unlabelled=mean-teacher")
    if held_out >= 1:
        raise SettingError(f"validation_fraction and test_fraction must leave cases to train, got {held_out:.15g} together")


def group_wanted(text: str) -> tuple[str, str]:
    """Attribute and value of a setting `learn_group`; ("", "") for none.

    Raises:
        SettingError: It is not written as attribute=value.
    """
    name, sign, value = (part.strip() for part in text.partition("="))
    if text.strip() and not (name and sign and value):
        raise SettingError(f"learn_group is written as attribute=value, got {text!r}", remedy="write it as site=B")
    return name, value


def _check_continual(settings: ProjectSettings) -> None:
    group_wanted(settings.learn_group)
    if settings.learn_group and settings.warm_start in ("scratch", "all"):
        rule = f"learn_group says which cases are new, warm_start {settings.warm_start} learns all alike"
        raise SettingError(rule, remedy="set warm_start=replay, new or misclassified, or learn_group=")
    for name in ("ewc", "distillation"):
        if getattr(settings, name) and settings.warm_start == "scratch":
            rule = f"{name} keeps the model before, warm_start scratch begins without one"
            raise SettingError(rule, remedy=f"set warm_start=replay (or all, new), or {name}=0")


def _check_canary(settings: ProjectSettings) -> None:
    if settings.release_canary and settings.release != "gate":
        rule = f"release_canary tries candidates of the gate, release {settings.release} has none"
        raise SettingError(rule, remedy="set release=gate or release_canary=0")


def _check_template(settings: ProjectSettings) -> None:
    check_template(settings.template)
    if settings.template and settings.query_unit != "case":
        rule = f"template names the slices of a case, query_unit {settings.query_unit} chooses parts of it"
        raise SettingError(f"{rule}, got both", remedy="set query_unit=case or template=")
    if settings.template and settings.query_label:
        raise SettingError(
            "template names the slices of a case, query_label queries whole cases, got both", remedy="leave one of them empty"
        )
    if settings.template and (settings.gold_rate or settings.tutorial):
        raise SettingError("Gold cases count whole, a template names slices, got both", remedy="set gold_rate=0 and tutorial=0")


def _check_stream(settings: ProjectSettings) -> None:
    if settings.stream_risk > 0 and settings.stream != "off":
        rule = f"stream judges what is worth annotating, stream_risk what is accepted without a look, got {settings.stream} and"
        raise SettingError(f"{rule} {settings.stream_risk:g}", remedy="set stream=off or stream_risk=0")
    if settings.stream_hard > settings.stream_good:
        raise SettingError(f"stream_hard must be at most stream_good, got {settings.stream_hard:g} above {settings.stream_good:g}")


def _check_targets(settings: ProjectSettings) -> None:
    if settings.targets != "soft":
        return
    if settings.consensus == "latest":
        raise SettingError("targets soft needs readings that are fused, got consensus latest", remedy="choose another consensus")
    if settings.annotator_model != "none":
        rule = f"targets soft learns one consensus per case, annotator_model every annotation, got {settings.annotator_model}"
        raise SettingError(rule, remedy="set targets=hard or annotator_model=none")


def setting_named(name: str) -> Setting:
    """The declaration of a setting, by its name, an older one, or the name of its flag.

    Raises:
        SettingError: There is none of that name.
    """
    wanted = name.strip().lstrip("-").replace("-", "_")
    wanted = OLDER_NAMES.get(wanted, wanted)
    for one in SETTINGS.values():
        if wanted in (one.name, one.flag.lstrip("-").replace("-", "_")):
            return one
    alike = nearest_names(wanted, [*SETTINGS, *OLDER_NAMES])
    today = dict.fromkeys(OLDER_NAMES.get(one, one) for one in alike)
    meant = f"use {' or '.join(today)}; " if today else ""
    raise SettingError(f"There is no setting {name!r}", remedy=f"{meant}medloop configure lists all")


def changed_settings(settings: ProjectSettings, changes: Mapping[str, SettingValue], *, making: bool = False) -> ProjectSettings:
    """The settings with some values changed.

    Args:
        settings: As they are.
        changes: New values by the settings' names or flags.
        making: Whether the project is only being made, so that everything may still change.

    Raises:
        SettingError: An unknown name, a value outside its range, or one that cannot change any more.
    """
    given: dict[str, str] = {}
    values: dict[str, SettingValue] = {}
    for name, said in changes.items():
        declared = setting_named(name)
        value = current_value(declared.name, said)
        if declared.name in given:
            raise SettingError(f"{declared.name} must be given once, got {given[declared.name]!r} and {name!r}", remedy="keep one of them")
        given[declared.name] = name
        declared.check(value)
        if not making and declared.applies == "never" and value != getattr(settings, declared.name):
            remedy = f"keep it at {declared.write(getattr(settings, declared.name))}, or make a new project"
            raise SettingError(f"{declared.name} {ALREADY_MADE}, got {declared.write(value)}", remedy=remedy)
        values[declared.name] = float(value) if declared.kind is float else value
    return dataclasses.replace(settings, **values)  # type: ignore[arg-type]  # each value was checked against its field's type
