"""Whether cases that came in are like those that the model in use was judged on, as answers hold it."""

from typing import Literal

from pydantic import Field

from medloop.core.names import MAX_NAME
from medloop.metrics.drift import Kind, Verdict
from medloop.server.wire.schemas import Body
from medloop.server.wire.views import View


class AdaptBody(Body):
    """To which group the model in use is to be adapted, and how.

    Attributes:
        by: Column that makes groups, such as "scanner"; "all" takes every unlabelled case.
        value: Which group.
        way: Intensities of the images are moved, or normalisation layers changed until the entropy is less.
    """

    by: str = Field(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00]*$")
    value: str = Field("", max_length=MAX_NAME, pattern=r"^[^\x00]*$")
    way: Literal["intensities", "entropy"] = "intensities"


class DriftTestView(View):
    """One test of a group; `corrected` is its p-value for all tests of the report together."""

    kind: Kind
    about: str
    statistic: float
    p: float
    effect: float
    effect_name: str
    corrected: float


class GroupDriftView(View):
    """What is found of one group, with whom it was compared; `outside` cases by their own p-value, null if unknown."""

    group: str
    cases: int
    patients: int
    reference: str
    reference_cases: int
    reference_patients: int
    tests: list[DriftTestView]
    outside: int | None
    verdict: Verdict
    meaning: str
    notes: list[str]


class CaseStandingView(View):
    """A case, and the chance that one like those the model was judged on lies as far from what it learned."""

    case_id: str
    name: str
    group: str
    p: float
    outside: bool


class DriftReportView(View):
    """The groups of unlabelled cases, and every compared case, the least likely first; `unread` images are left for the next request."""

    model_index: int
    by: str
    groups: list[GroupDriftView]
    cases: list[CaseStandingView]
    unpredicted: int
    note: str
    unread: int


class DriftResult(View):
    """The report, or why there is none yet and what to do about it; `imported` compares with what imported models learned from."""

    found: DriftReportView | None
    reason: str
    remedy: str
    imported: list[str]
