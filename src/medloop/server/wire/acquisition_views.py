"""Whether an image is good enough, as answers hold it."""

from typing import Self

from medloop.loop.overview.acquisition import AcquisitionCheck, Verdict
from medloop.loop.overview.acquisition_references import ComparedWith
from medloop.quality.acquisition.signs import Reason
from medloop.server.wire.measure_views import MeasureView
from medloop.server.wire.views import Number, View


class AcquisitionSignView(View):
    """One number of an image, and up to which it is usual."""

    name: str
    words: str
    reason: Reason
    value: Number
    usual: Number
    score: Number
    unusual: bool


class AcquisitionReasonView(View):
    """Why an image had better be acquired again, and what helps."""

    reason: Reason
    words: str


class AcquisitionView(View):
    """A verdict on an image; `picture` is the address of a PNG that it holds itself, "" for a case."""

    verdict: Verdict
    reasons: list[AcquisitionReasonView]
    signs: list[AcquisitionSignView]
    alarm: float
    compared_with: ComparedWith
    patients: int
    model: int | None
    expected: Number
    expected_low: Number
    expected_high: Number
    measures: list[MeasureView]
    notes: list[str]
    picture: str

    @classmethod
    def of(cls, check: AcquisitionCheck, picture: str = "") -> Self:
        """A check, with its picture."""
        return cls.reading(check, picture=picture)
