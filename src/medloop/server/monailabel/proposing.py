"""What an inference shows: the proposal of the model in use, or a draft as clicks would make it; computed by the assistant."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from medloop.core.arrays import MaskArray
from medloop.core.errors import ForbiddenError, StateError, UnavailableError
from medloop.core.records import Assignment, Case, Prediction
from medloop.interaction.prompts import Prompt, prompt_to_json
from medloop.interaction.runs import apply_runs
from medloop.loop.annotating.annotations import choose_case
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.anchoring import hides_proposal
from medloop.loop.foundation.gold import independent_proposal
from medloop.loop.foundation.readings import project_settings
from medloop.loop.foundation.trials import is_blind_audit, is_blinded, proposal_to_show
from medloop.server.monailabel.scene import Scene
from medloop.server.web.assistant import ASSISTANT_SECONDS
from medloop.server.wire.prompt_views import PreviewBody, PreviewRequest
from medloop.store.reader import Reader

MODELLESS = UnavailableError("There is no model yet", remedy="annotate some cases first, or import proposals")


@dataclass(frozen=True)
class Shown:
    """A proposal that there is, and whether a newer model's should be asked for."""

    prediction: Prediction | None
    ask: bool


async def proposal(scene: Scene, case: Case) -> Prediction:
    """The proposal for a case by the model in use, made now where it is missing; an older one where nobody can make it.

    Raises:
        UnavailableError: There is none.
        StateError: The project hides proposals until the first edit.
    """
    shown = await run_in_threadpool(_shown, scene, case)
    if shown.ask:
        asked = {"project_id": scene.workspace.project.id, "case_id": case.id}
        try:
            answer = await scene.surface.site.assistant.request("/propose", asked, seconds=ASSISTANT_SECONDS)
            return await run_in_threadpool(scene.workspace.store.get, Prediction, answer["prediction_id"])
        except UnavailableError:
            if shown.prediction is None:
                raise
    if shown.prediction is None:
        raise UnavailableError(MODELLESS.message, remedy=MODELLESS.remedy)
    return shown.prediction


def _shown(scene: Scene, case: Case) -> Shown:
    with scene.workspace.store.read() as tx:
        viewer = scene.viewer(tx)
        if case.id in viewer.unread(tx):
            return Shown(independent_proposal(tx, case.id), ask=False)
        _require_unhidden(scene, tx, case, viewer.annotator_id)
        found, model = proposal_to_show(tx, case.id), tx.live_model()
        is_compared = found is not None and is_blinded(tx, found.model_id)
    newer = found is None or (model is not None and found.model_id != model.id and not is_compared)
    return Shown(found, ask=model is not None and not model.outside and newer)


def _require_unhidden(scene: Scene, tx: Reader, case: Case, annotator_id: str) -> None:
    """Refuse a proposal to who annotates where the project hides it from their draft until the first edit, or for good."""
    if is_blind_audit(tx, case.id):
        raise StateError("An audit case of a stream is read without a proposal", remedy="draw without it")
    if project_settings(tx).proposals == "at-once" or not scene.caller.may(scene.workspace.project.id, "annotate"):
        return
    mine = tx.find(Assignment, where={"case_id": case.id, "annotator_id": annotator_id, "state": "open"}, limit=1)
    if not mine or (mine[0].revision == 0 and hides_proposal(tx, mine[0].id)):
        rule = "The proposal is hidden until the first edit of your draft"
        raise StateError(rule, remedy="draw without it, or change the project's setting proposals")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A draft as prompts would make it: its mask, shape (I, J, K), and who computed it."""

    mask: MaskArray
    engine: str


async def drawn(scene: Scene, case: Case, prompts: Sequence[Prompt]) -> Drawn:
    """What prompts would do to the caller's draft of a case, which is opened for them; nothing is saved.

    Raises:
        ForbiddenError: The caller does not annotate.
        InputError: Prompts that cannot be obeyed.
        UnavailableError: There is no assistant.
    """
    if not scene.caller.may(scene.workspace.project.id, "annotate"):
        raise ForbiddenError("Clicks are made on a draft, and your role does not allow to annotate", remedy="use the model segmentation")
    assignment, mask = await run_in_threadpool(_draft, scene, case)
    body = PreviewBody.model_validate({"base_revision": assignment.revision, "prompts": [prompt_to_json(one) for one in prompts]})
    asked = PreviewRequest(project_id=scene.workspace.project.id, assignment_id=assignment.id, said=body)
    answer = await scene.surface.site.assistant.request("/refine", asked.model_dump(mode="json"))
    after = await run_in_threadpool(apply_runs, mask, [tuple(run) for run in answer["runs"]])
    return Drawn(after, str(answer["engine"]))


def _draft(scene: Scene, case: Case) -> tuple[Assignment, MaskArray]:
    opened = choose_case(scene.workspace, case.id, scene.person.id, reviews=scene.reviews)
    draft = read_draft(scene.workspace, opened.assignment.id)
    return scene.workspace.store.get(Assignment, opened.assignment.id), draft.mask
