"""The figures of a case as answers hold them."""

from medloop.server.wire.views import Number, View


class MeasureView(View):
    """One figure of one structure; bounds only for predictions."""

    label: str
    name: str
    value: Number
    unit: str
    low: Number
    high: Number
    accepted: bool | None
    reason: str


class CaseMeasuresView(View):
    """The figures of one case, and whose mask they measure."""

    case_id: str
    source: str
    source_id: str
    sized: bool
    coverage: float
    measures: list[MeasureView]
