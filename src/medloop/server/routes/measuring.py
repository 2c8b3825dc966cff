"""How large structures are."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from medloop.core.errors import StateError
from medloop.loop.foundation.trials import blind_among
from medloop.loop.overview.measurements import measure_case
from medloop.metrics.measure_bounds import MOST_TOLERANCE, TOLERANCE
from medloop.server.web.site import ViewerHere, WorkspaceHere
from medloop.server.wire.measure_views import CaseMeasuresView
from medloop.server.wire.schemas import Id, Renamed

router = APIRouter(prefix="/projects/{project}/cases", tags=["measures"])
Of = Annotated[Literal["any", "annotation", "prediction"], Renamed]


@router.get("/{case}/measures")
def get_measures(
    workspace: WorkspaceHere,
    case: Id,
    viewer: ViewerHere,
    of: Annotated[Of, Query(description="Whose mask; any takes the annotation where there is one.")] = "any",
    tolerance: Annotated[
        float,
        Query(gt=0, le=MOST_TOLERANCE, description="Half the width of bounds, as a share of the measure, up to which it is accepted."),
    ] = TOLERANCE,
) -> CaseMeasuresView:
    """How large every structure is, with bounds, and whether to accept a prediction's figure; of the prediction while one reads blind."""
    with workspace.store.read() as tx:
        shown = of if viewer.sees(tx, case) else "prediction"
        proposed = shown == "prediction" or (shown == "any" and not tx.current_annotations(case_ids=[case]))
        if proposed and blind_among(tx, [case]):
            raise StateError("This case of the audit sample is read blind: the figures of its prediction show then", remedy="read it first")
    return CaseMeasuresView.model_validate(measure_case(workspace, case, of=shown, tolerance=tolerance))
