"""The assistant's half of refining: engines, images and drafts kept warm, people kept apart.

What an engine worked out about an image is kept for the cases used last, so that only a case's first prompt looks at the whole
image. Drafts are kept likewise: a patch never changes, so a known state is brought forward instead of read anew.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from medloop.core.records import Assignment, Case
from medloop.interaction.engine import Engine, ImageEmbedding
from medloop.loop.annotating.engines import AUTO, ChooseEngine, choose_engine
from medloop.loop.annotating.open_edit import Draft
from medloop.loop.annotating.previewing import Preview, Shown, accept_prompts, preview_prompts
from medloop.loop.annotating.refining import Refinement, Refiner, add_prompt, change_prompt, withdraw_prompt
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.server.processes.turns import Turns
from medloop.server.wire.prompt_views import (
    AcceptRequest,
    AddRequest,
    ChangeRequest,
    PreviewRequest,
    PreviewView,
    RefinedView,
    RefineRequest,
    WithdrawRequest,
    prompt_of,
)

WARM_ENGINES, WARM_IMAGES, WARM_DRAFTS, WARM_PREVIEWS = 2, 4, 16, 4
T = TypeVar("T")


class Warm(Generic[T]):
    """The values used last, at most `room` of them, by key; shared by threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._guard = Lock()
        self._values: OrderedDict[str, T] = OrderedDict()

    def find(self, key: str) -> T | None:
        """The value, which is now the one used last."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: str, value: T) -> T:
        """Keep a value; the one unused for longest makes room."""
        with self._guard:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._room:
                self._values.popitem(last=False)
        return value

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The value of that key, made now if it is not warm."""
        found = self.find(key)
        return found if found is not None else self.keep(key, make())


class Refinery:
    """Answers prompts for the projects of an assistant."""

    def __init__(self, choose: ChooseEngine = choose_engine) -> None:
        self._choose = choose
        self._turns = Turns()
        self._engines: Warm[Engine] = Warm(WARM_ENGINES)
        self._images: Warm[ImageEmbedding] = Warm(WARM_IMAGES)
        self._drafts: Warm[Draft] = Warm(WARM_DRAFTS)
        self._previews: Warm[Preview] = Warm(WARM_PREVIEWS)

    def refine(self, workspace: Workspace, request: RefineRequest) -> RefinedView | PreviewView:
        """Add, change or withdraw a prompt, show what some would do or save that, in the turn of the person whose assignment it is.

        Raises:
            MedloopError: Whatever `medloop.loop.annotating.refining` raises.
        """
        with workspace.store.read() as tx:
            assignment = tx.get(Assignment, request.assignment_id)
            case = tx.get(Case, assignment.case_id)
        began = time.monotonic()
        with self._turns.take(assignment.annotator_id, assignment.id) as wanted:
            engine, embedding = self._ready(workspace, case, request.said.engine)
            refiner, shown = Refiner(engine, embedding, self._drafts.find(assignment.id), wanted), self._previews.find(assignment.id)
            if isinstance(request, PreviewRequest):
                preview = self._previews.keep(assignment.id, _shown(workspace, request, refiner, shown))
                return PreviewView.of(preview, time.monotonic() - began)
            made = _done(workspace, request, refiner, shown)
            self._drafts.keep(assignment.id, made.draft)
        return RefinedView.of(made, time.monotonic() - began)

    def warm(self, workspace: Workspace, case_id: str, engine: str = AUTO) -> str:
        """Look at a case's image before the first prompt; the engine's name."""
        case = workspace.store.get(Case, case_id)
        return self._ready(workspace, case, engine)[0].name

    def _ready(self, workspace: Workspace, case: Case, name: str) -> tuple[Engine, ImageEmbedding]:
        choice = self._choose(workspace, name)
        engine = self._engines.get(choice.key, choice.load)
        key = f"{choice.key} {case.voxels} {case.id}"
        return engine, self._images.get(key, lambda: engine.embed(load_image(workspace.store.blobs, case)))


def _shown(workspace: Workspace, request: PreviewRequest, refiner: Refiner, known: Preview | None) -> Preview:
    base, locked, prompts = request.said.base_revision, request.said.locked, [prompt_of(body) for body in request.said.prompts]
    return preview_prompts(workspace, request.assignment_id, prompts, base_revision=base, refiner=refiner, locked=locked, known=known)


def _done(
    workspace: Workspace, request: AddRequest | ChangeRequest | WithdrawRequest | AcceptRequest, refiner: Refiner, shown: Preview | None
) -> Refinement:
    draft, base, locked = request.assignment_id, request.said.base_revision, request.said.locked
    if isinstance(request, WithdrawRequest):
        return withdraw_prompt(workspace, draft, request.prompt_id, base_revision=base, refiner=refiner, locked=locked)
    if isinstance(request, AcceptRequest):
        prompts, seen = [prompt_of(body) for body in request.said.prompts], Shown(request.said.effect, shown)
        return accept_prompts(workspace, draft, prompts, seen, base_revision=base, refiner=refiner, locked=locked)
    prompt = prompt_of(request.said.prompt)
    if isinstance(request, ChangeRequest):
        return change_prompt(workspace, draft, request.prompt_id, prompt, base_revision=base, refiner=refiner, locked=locked)
    earlier = [prompt_of(body) for body in request.said.earlier]
    return add_prompt(workspace, draft, prompt, base_revision=base, refiner=refiner, earlier=earlier, locked=locked)
