"""What people measure on an image, kept as theirs."""

from fastapi import APIRouter

from medloop.core.records import Annotator, Case, Measurement
from medloop.loop.annotating.measuring import (
    move_measurement,
    name_measurement,
    own_measurement,
    placed,
    placed_measurements,
    take_measurement,
    withdraw_measurement,
)
from medloop.loop.foundation.workspace import Workspace
from medloop.server.web.site import CaseHere, PersonHere, ViewerHere, WorkspaceHere
from medloop.server.wire.measurement_views import MeasurementBody, MeasurementChange, MeasurementView
from medloop.server.wire.schemas import Id

router = APIRouter(prefix="/projects/{project}", tags=["measurements"])


@router.get("/cases/{case}/measurements")
def get_measurements(workspace: WorkspaceHere, case: CaseHere, viewer: ViewerHere) -> list[MeasurementView]:
    """The measurements that stand on a case, in the order they were taken; one's own only while one reads it blind."""
    with workspace.store.read() as tx:
        found = placed_measurements(tx, case_id=case.id, annotator_id=None if viewer.sees(tx, case.id) else viewer.annotator_id)
    return [MeasurementView.of(one, own=one.measurement.annotator_id == viewer.annotator_id) for one in found]


@router.post("/cases/{case}/measurements")
def post_measurement(workspace: WorkspaceHere, case: CaseHere, person: PersonHere, body: MeasurementBody) -> MeasurementView:
    """Measure a length, an angle, a region of a slice, or a label of one's draft, and keep it; figures are computed here."""
    return _view(workspace, person, take_measurement(workspace, case.id, person.id, body.wanted()))


@router.patch("/measurements/{measurement}")
def patch_measurement(workspace: WorkspaceHere, measurement: Id, person: PersonHere, body: MeasurementChange) -> MeasurementView:
    """Move the points of a measurement of one's own, name it, take it away or bring it back; the audit keeps what it was."""
    made = own_measurement(workspace, measurement, person.id)
    if body.withdrawn is not None:
        made = withdraw_measurement(workspace, measurement, person.id, restore=not body.withdrawn)
    if body.note is not None:
        made = name_measurement(workspace, measurement, person.id, body.note)
    if body.points is not None:
        made = move_measurement(workspace, measurement, person.id, body.points)
    return _view(workspace, person, made)


def _view(workspace: Workspace, person: Annotator, made: Measurement) -> MeasurementView:
    case = workspace.store.get(Case, made.case_id)
    return MeasurementView.of(placed(made, case, person.name), own=True)
