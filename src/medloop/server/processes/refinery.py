"""The assistant's half of refining: engines, images and drafts kept warm, people kept apart.

What an engine worked out about an image is kept for the cases used last, so that only a case's first gesture looks at the whole
image. Drafts are kept likewise: a patch never changes, so a known state is brought forward instead of read anew.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

from medloop.core.errors import FormatError
from medloop.core.records import Assignment, Case
from medloop.interaction.engine import Engine, ImageEmbedding
from medloop.interaction.prompts import Prompt, prompt_from_json
from medloop.loop.annotating.engines import AUTO, ChooseEngine, choose_engine
from medloop.loop.annotating.open_edit import Draft
from medloop.loop.annotating.refining import Refinement, Refiner, add_prompt, change_prompt, withdraw_prompt
from medloop.loop.foundation.arrays import load_image
from medloop.loop.foundation.workspace import Workspace
from medloop.server.processes.turns import Turns

WARM_ENGINES, WARM_IMAGES, WARM_DRAFTS = 2, 4, 16
Asked = Mapping[str, Any]
T = TypeVar("T")


class Warm(Generic[T]):
    """The values used last, by key; shared by threads.

    Args:
        room: How many to keep.
    """

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


@dataclass(frozen=True)
class _Request:
    """A request as it came, checked for its shape only."""

    verb: str
    assignment_id: str
    base_revision: int
    prompt: Prompt | None
    prompt_id: str
    earlier: Sequence[Prompt]
    locked: Sequence[int]
    engine: str


class Refinery:
    """Answers gestures for the projects of an assistant.

    Args:
        choose: Which engine a project uses.
    """

    def __init__(self, choose: ChooseEngine = choose_engine) -> None:
        self._choose = choose
        self._turns = Turns()
        self._engines: Warm[Engine] = Warm(WARM_ENGINES)
        self._images: Warm[ImageEmbedding] = Warm(WARM_IMAGES)
        self._drafts: Warm[Draft] = Warm(WARM_DRAFTS)

    def answer(self, workspace: Workspace, asked: Asked) -> dict[str, Any]:
        """Add, change or withdraw a prompt as asked, in the turn of the person whose assignment it is.

        Args:
            workspace: The project.
            asked: `verb` ("add", "change", "withdraw"), `assignment_id`, `base_revision`, and as the verb needs them `prompt`,
                `prompt_id`, `earlier`, `locked`, `engine`.

        Raises:
            FormatError: Not a request of that shape.
            MedloopError: Whatever `medloop.loop.annotating.refining` raises.
        """
        request = _request(asked)
        with workspace.store.read() as tx:
            assignment = tx.get(Assignment, request.assignment_id)
            case = tx.get(Case, assignment.case_id)
        began = time.monotonic()
        with self._turns.take(assignment.annotator_id, assignment.id) as wanted:
            engine, embedding = self._ready(workspace, case, request.engine)
            refiner = Refiner(engine, embedding, self._drafts.find(assignment.id), wanted)
            made = _done(workspace, request, refiner)
            self._drafts.keep(assignment.id, made.draft)
        return _told(made, time.monotonic() - began)

    def warm(self, workspace: Workspace, case_id: str, engine: str = AUTO) -> str:
        """Look at a case's image before the first gesture; the engine's name."""
        with workspace.store.read() as tx:
            case = tx.get(Case, case_id)
        return self._ready(workspace, case, engine)[0].name

    def _ready(self, workspace: Workspace, case: Case, name: str) -> tuple[Engine, ImageEmbedding]:
        choice = self._choose(workspace, name)
        engine = self._engines.get(choice.key, choice.load)
        key = f"{choice.key} {case.voxels} {case.id}"
        return engine, self._images.get(key, lambda: engine.embed(load_image(workspace.store.blobs, case)))


def _done(workspace: Workspace, request: _Request, refiner: Refiner) -> Refinement:
    identifier, base, locked = request.assignment_id, request.base_revision, request.locked
    if request.verb == "withdraw":
        return withdraw_prompt(workspace, identifier, request.prompt_id, base_revision=base, refiner=refiner, locked=locked)
    if request.prompt is None:
        raise FormatError(f"To {request.verb} a prompt, give it as `prompt`")
    if request.verb == "change":
        return change_prompt(workspace, identifier, request.prompt_id, request.prompt, base_revision=base, refiner=refiner, locked=locked)
    return add_prompt(workspace, identifier, request.prompt, base_revision=base, refiner=refiner, earlier=request.earlier, locked=locked)


def _request(asked: Asked) -> _Request:
    try:
        request = _Request(
            verb=str(asked["verb"]),
            assignment_id=str(asked["assignment_id"]),
            base_revision=int(asked["base_revision"]),
            prompt=prompt_from_json(asked["prompt"]) if asked.get("prompt") is not None else None,
            prompt_id=str(asked.get("prompt_id", "")),
            earlier=[prompt_from_json(item) for item in asked.get("earlier") or ()],
            locked=[int(value) for value in asked.get("locked") or ()],
            engine=str(asked.get("engine") or AUTO),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"Not a request to refine: {type(error).__name__} {error}") from error
    if request.verb not in ("add", "change", "withdraw"):
        raise FormatError(f"A verb is add, change or withdraw, got {request.verb!r}")
    return request


def _told(made: Refinement, seconds: float) -> dict[str, Any]:
    return {
        "prompt_id": made.prompt_ids[-1] if made.prompt_ids else None,
        "prompt_ids": list(made.prompt_ids),
        "revision": made.draft.revision,
        "runs": [list(run) for run in made.runs],
        "quality": made.quality,
        "engine": made.engine,
        "note": made.note,
        "seconds": seconds,
    }
