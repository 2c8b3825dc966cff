"""Gold cases and what people make of them, over REST."""

from typing import Annotated

from pydantic import Field

from medloop.server.wire.schemas import Body, Text
from medloop.server.wire.views import Number, View


class MeanScoreView(View):
    """A mean score on gold cases with its 90 % interval; without one `note` says why."""

    mean: float
    low: Number
    high: Number
    groups: int
    note: str


class TutorialView(View):
    """How far somebody's tutorial is; the mean of the last `length` cases ends it at `needed`."""

    done: int
    length: int
    score: Number
    needed: float
    left: int
    passed: bool
    words: str


class FeedbackView(View):
    """What came of a gold case.

    Attributes:
        score: 0..1; null where it could not be scored, for the reason in `note`.
        by_label: Label to Dice; {} for classes.
        given, truth: Classes by name; "" for masks.
        mean: The person's score so far.
    """

    case: str
    score: Number
    by_label: dict[str, float]
    given: str
    truth: str
    mean: MeanScoreView | None
    tutorial: TutorialView | None
    instructions: str
    note: str


class GoldLineView(View):
    """A gold case: whether it is in use, by how many it was read, and their mean score."""

    case: str
    case_id: str
    by: str
    since: str
    in_use: bool
    readings: int
    mean: Number
    note: str


class GoldPersonView(View):
    """Somebody held against gold cases: their score, and how many they have not seen; whether real work waits for their tutorial."""

    annotator: str
    readings: int
    score: MeanScoreView | None
    left: int
    tutorial: str
    waits: bool


class GoldStandingView(View):
    """Gold cases, people, and what stands in the way, in words."""

    cases: list[GoldLineView]
    people: list[GoldPersonView]
    warnings: list[str]


class AdmitBody(Body):
    """Who may begin real work without a tutorial."""

    annotator: Annotated[Text, Field(min_length=1, max_length=200)]
