"""The assistant process: proposals and refinements on demand, with torch and the newest model kept warm.

An ASGI application on a Unix socket that only the server's user can open. torch is imported with the
first request, so an idle assistant is light. One proposal is computed at a time, and one refinement per person;
the server's other requests never wait for them. If this process dies, it is started again and has lost nothing.
"""

import asyncio
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import uvicorn
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from medloop.core.errors import FormatError, MedloopError, UnavailableError
from medloop.loop.annotating.engines import AUTO, ChooseEngine, choose_engine
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.acquisition import Demand
from medloop.metrics.measure_bounds import TOLERANCE
from medloop.quality.acquisition.rule import ALARM
from medloop.server.processes.lifeline import Lifeline
from medloop.server.processes.refinery import Refinery
from medloop.server.web.failures import failure, status_of, unforeseen
from medloop.server.web.folders import Projects
from medloop.server.wire.acquisition_views import AcquisitionView
from medloop.server.wire.prompt_views import PreviewView, RefinedView, RefineRequest

if TYPE_CHECKING:
    from medloop.models.inference.predict import AnyPredictor


REFINE: TypeAdapter[RefineRequest] = TypeAdapter(RefineRequest)


@dataclass(frozen=True)
class _Warm:
    """A model that is ready to predict."""

    model_id: str
    predictor: "AnyPredictor"


class Assistant:
    """Makes proposals for the projects of a folder."""

    def __init__(self, root: Path, choose: ChooseEngine = choose_engine) -> None:
        self._projects = Projects(root, exclusive=False)
        self._guard = Lock()
        self._warm: _Warm | None = None
        self._refinery = Refinery(choose)

    def refine(self, request: RefineRequest) -> RefinedView | PreviewView:
        """Answer a prompt; see `Refinery.refine`.

        Raises:
            NotFoundError: No such project, assignment or prompt.
            MedloopError: Whatever refining raises.
        """
        return self._refinery.refine(self._workspace(request.project_id), request)

    def warm(self, project_id: str, case_id: str, engine: str = AUTO) -> str:
        """Look at a case's image before its first prompt; the name of the engine that will answer."""
        return self._refinery.warm(self._workspace(project_id), case_id, engine)

    def propose(self, project_id: str, case_id: str) -> str:
        """Predict one case with the newest model, now; the prediction's id.

        Raises:
            UnavailableError: There is no model yet.
            NotFoundError: No such project or case.
        """
        from medloop.loop.judging.predictions import propose_case

        workspace = self._workspace(project_id)
        with self._guard:
            prediction = propose_case(workspace, case_id, self._predictor(workspace))
        if prediction is None:
            raise UnavailableError("There is no model yet", remedy="annotate some cases first")
        return prediction.id

    def explain(self, asked: dict[str, str]) -> dict[str, Any]:
        """Explain one case with the newest model; see `medloop.server.processes.explainer`.

        Raises:
            UnavailableError: There is no model yet, or Captum is missing.
            MedloopError: Whatever explaining raises.
        """
        from medloop.server.processes.explainer import explain_for

        workspace = self._workspace(asked.get("project_id", ""))
        with self._guard:
            return explain_for(workspace, self._predictor(workspace), asked)

    def judge_acquisition(self, asked: dict[str, str]) -> dict[str, Any]:
        """Judge the image in a file that the server holds, with the newest model; see `medloop.loop.overview.acquisition_checks`.

        Raises:
            UnavailableError: There is no model yet.
            MedloopError: Whatever judging raises.
        """
        from medloop.loop.overview.acquisition_checks import AcquisitionChecker

        workspace = self._workspace(asked.get("project_id", ""))
        demand = Demand(float(asked.get("alarm", ALARM)), asked.get("measure", ""), float(asked.get("tolerance", TOLERANCE)))
        with self._guard:
            checker = AcquisitionChecker(workspace, demand, predictor=self._predictor(workspace))
            found = checker.check(asked.get("path", ""), pixel_mm=float(asked.get("pixel_mm") or 0) or None, picture=True)
        return AcquisitionView.of(found.check, found.address).model_dump(mode="json")

    def warm_model(self) -> str | None:
        """Id of the model in memory."""
        return self._warm.model_id if self._warm else None

    def close(self) -> None:
        """Close the projects."""
        self._projects.close()

    def _workspace(self, project_id: str) -> Workspace:
        try:
            return self._projects.get(project_id)
        except LookupError:
            self._projects.all()
            return self._projects.get(project_id)

    def _predictor(self, workspace: Workspace) -> "AnyPredictor":
        with workspace.store.read() as tx:
            model = tx.live_model()
        if model is None:
            raise UnavailableError("There is no model yet", remedy="annotate some cases first")
        if self._warm is None or self._warm.model_id != model.id:
            from medloop.loop.judging.predictions import load_predictor

            self._warm = _Warm(model.id, load_predictor(workspace.store.blobs, model))
        return self._warm.predictor


def create_assistant(assistant: Assistant) -> Starlette:
    """The application: `POST /propose` and `/warm {project_id, case_id}`, `/refine`, `/explain`, `/acquisition`, `GET /health`."""

    async def refine(request: Request) -> JSONResponse:
        try:
            asked = REFINE.validate_json(await request.body())
        except ValidationError as error:
            raise FormatError(f"Not a request to refine: {error.errors()[0]['msg']}") from error
        return JSONResponse((await asyncio.to_thread(assistant.refine, asked)).model_dump(mode="json"))

    async def warm(request: Request) -> JSONResponse:
        body = await _body(request)
        asked = body.get("project_id", ""), body.get("case_id", ""), body.get("engine", AUTO)
        return JSONResponse({"engine": await asyncio.to_thread(assistant.warm, *asked)})

    async def propose(request: Request) -> JSONResponse:
        body = await _body(request)
        prediction_id = await asyncio.to_thread(assistant.propose, body.get("project_id", ""), body.get("case_id", ""))
        return JSONResponse({"prediction_id": prediction_id})

    async def explain(request: Request) -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(assistant.explain, await _body(request)))

    async def acquisition(request: Request) -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(assistant.judge_acquisition, await _body(request)))

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "model_id": assistant.warm_model()})

    asked = {"/propose": propose, "/refine": refine, "/warm": warm, "/explain": explain, "/acquisition": acquisition}
    routes = [Route("/health", health), *(Route(address, answer, methods=["POST"]) for address, answer in asked.items())]
    return Starlette(routes=routes, exception_handlers={MedloopError: _deliberate, Exception: _unforeseen})


async def _body(request: Request) -> dict[str, str]:
    try:
        body = await request.json()
    except ValueError as error:
        raise FormatError("The body must be JSON") from error
    if not isinstance(body, dict) or not all(isinstance(v, str) for v in body.values()):
        raise FormatError("The body must be an object of strings")
    return body


async def _deliberate(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, MedloopError):
        raise error
    return failure(status_of(error), error.code, error.message, remedy=error.remedy)


async def _unforeseen(_request: Request, error: Exception) -> JSONResponse:
    return unforeseen(error)


def private_socket(path: Path) -> socket.socket:
    """A listening Unix socket that only this user can open; a left-over one is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


class _Tied(uvicorn.Server):
    """Ends when the lifeline says so, as well as by a signal."""

    def __init__(self, config: uvicorn.Config, lifeline: Lifeline) -> None:
        super().__init__(config)
        self._lifeline = lifeline

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._lifeline.stopping.is_set()


def main(folder: str, socket_path: str) -> None:
    """The process: tied to its server, serving its socket."""
    os.umask(0o077)
    lifeline = Lifeline()
    assistant = Assistant(Path(folder))
    config = uvicorn.Config(create_assistant(assistant), log_level="warning", lifespan="off", timeout_graceful_shutdown=5, ws="none")
    path = Path(socket_path)
    try:
        _Tied(config, lifeline).run(sockets=[private_socket(path)])
    finally:
        path.unlink(missing_ok=True)
        assistant.close()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:3])
    except MedloopError as problem:
        sys.exit(f"error: {problem}")
