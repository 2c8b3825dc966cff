"""What is shown of the references beside a case."""

from typing import Self

from medloop.core.records import Case, FrameRelation, ReferenceSeries
from medloop.loop.data.listed_references import POSITIONS
from medloop.loop.foundation.references import as_case
from medloop.server.wire.views import CaseView, View, case_view


class ReferenceView(View):
    """A reference: its header as that of a case, and how its positions relate to the case's.

    `placed` says whether one place of the patient has one position in both; `position` says why, in words.
    """

    id: str
    name: str
    frame: FrameRelation
    placed: bool
    position: str
    image: CaseView

    @classmethod
    def of(cls, one: ReferenceSeries, case: Case, *, unread: bool) -> Self:
        """A reference of a case."""
        image = case_view(as_case(one, case), unread=unread)
        return cls(id=one.id, name=one.name, frame=one.frame, placed=one.is_placed, position=POSITIONS[one.frame], image=image)


class RemovedReferenceView(View):
    """The name of a reference that was taken away."""

    name: str
