"""The settings of a study, each declared once: the command line, the checks and study files are made from these declarations.

What a study decides about its projects is declared there (`core.settings`) and only has another default here.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from medloop.core.declaring import SettingValue, declared, setting
from medloop.core.settings import SETTINGS, ColdStart, GivenKind, QueryUnit, RobustTraining, UnlabelledLearning, WarmStart

StudyPretraining = Literal["none", "pool"]
Annotators = Literal["draw", "correct"]
EffortName = Literal["kind", "stated", "harsh"]
NoiseKind = Literal[
    "none", "class-flip", "dilation", "erosion", "shift", "missed-object", "boundary-jitter", "blunder", "lazy", "fatigue", "mixed"
]


def _of_project(name: str, default: SettingValue, **rules: Any) -> Any:
    """A setting that every project of the study gets, under a flag and a range of its own where these are given."""
    own = SETTINGS[name]
    known: dict[str, Any] = {rule: getattr(own, rule) for rule in ("help", "flag", "low", "high", "choices", "shorthand")}
    return setting(default, applies="never", of_project=name, **known | rules)


def _of_study(default: SettingValue, help: str, flag: str, **rules: Any) -> Any:  # noqa: A002  # the field's name
    return setting(default, help, flag, "never", **rules)


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What a study may leave as it is; `STUDY_SETTINGS` tells each one's meaning, range and flag."""

    only: bool = _of_study(False, "Compare exactly these strategies, without adding baselines; the report says so.", "--only")
    start: int = _of_project(
        "start_size", 8, help="Cases of the first round, which all strategies share.", flag="--start", low=2, high=100_000
    )
    start_strategy: str = _of_project("first_strategy", "random", help="How the first round is chosen.", flag="--start-strategy")
    batch: int = _of_project("batch_size", 8, help="Cases of every later round.", high=100_000)
    rounds: int = _of_study(4, "Rounds in all, the first included.", "--rounds", low=1, high=1_000)
    steps: int = _of_project("train_steps", 200, help="Training steps per model; 0 takes --minutes instead.")
    full_steps: int = _of_study(0, "Steps of the full-data model; 0 takes as many as the others.", "--full-steps", low=0, high=10_000_000)
    minutes: float = _of_project("train_minutes", 2.0, help="Time per model when --steps is 0; then results depend on the machine.")
    samples: int = _of_project("samples", 4)
    members: int = _of_project("members", 1)
    warm_start: WarmStart = _of_project("warm_start", "scratch")
    cold_start: ColdStart = _of_project("cold_start", "descriptors")
    pretraining: StudyPretraining = _of_project(
        "pretraining", "none",
        help="What models begin with where they go on from none: random weights, or weights that learned from the pool's images "
        "(pool): then the study is run from scratch as well, and the report says what labels that saves.",
        choices=get_args(StudyPretraining),
    )  # fmt: skip
    unlabelled: UnlabelledLearning = _of_project("unlabelled", "none")
    robust: RobustTraining = _of_project("robust", "none")
    cases: int = _of_study(0, "Use only so many cases, drawn by patient; 0 uses all.", "--cases", low=0, high=10_000_000)
    test_fraction: float = _of_project(
        "test_fraction", 0.25, help="Share of patients held out to measure every model; a split given by the source wins.", low=0.01
    )
    validation_fraction: float = _of_project(
        "validation_fraction", 0.0, help="Share of patients that every training may validate on; their annotations are not counted."
    )
    split_seed: int = _of_study(
        0, "Of these shares; the same for all seeds, so that models are measured on the same cases.", "--split-seed"
    )
    outline_error_mm: float = _of_study(
        0.0, "How far simulated outlines stray, in mm; 0 is perfect.", "--outline-error-mm", low=0, high=100
    )
    tag_error: float = _of_study(0.0, "Share of wrong simulated tags.", "--tag-error", low=0, high=1)
    given: GivenKind = _of_study(
        "mask", "What simulated annotators give of a case: its mask, or marks in its place (segmentation).", "--given",
        choices=get_args(GivenKind),
    )  # fmt: skip
    query_unit: QueryUnit = _of_project("query_unit", "case")
    annotators: Annotators = _of_study(
        "draw", "Whether simulated annotators draw every mask from nothing, or correct the model's proposal slice by slice, each by the "
        "cheapest interaction that is enough, and leave what is not noticeable.", "--annotators", choices=get_args(Annotators),
    )  # fmt: skip
    effort: EffortName = _of_study(
        "stated", "Times of their work: as stated, kind to proposals, or harsh.", "--effort", choices=get_args(EffortName)
    )
    noise: NoiseKind = _of_study("none", "What is wrong with a share of the annotations.", "--noise", choices=get_args(NoiseKind))
    noise_share: float = _of_study(0.2, "Share of the cases that --noise makes wrong.", "--noise-share", low=0, high=1)
    noise_mm: float = _of_study(2.0, "How far --noise moves outlines, in mm.", "--noise-mm", low=0, high=100)
    format: str = _of_study("auto", "Layout of the data set: auto, msd, nnunet, folder or csv.", "--format")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a study is run; results do not depend on it."""

    team: str = _of_study("", "Let a team read the cases instead, a file or `standard`: who reads what?", "--team")
    processes: int = _of_study(1, "Processes at work at once, each with one thread.", "--processes", low=1, high=1024)


STUDY_SETTINGS = declared(StudySettings)
"""Every setting of a study by name, in order."""

RUN_SETTINGS = declared(RunSettings)
"""Those of its run."""

NAMES_IN_PROJECTS = {one.of_project: name for name, one in STUDY_SETTINGS.items() if one.of_project}
"""The names of these settings in projects, which a study file may use too."""
