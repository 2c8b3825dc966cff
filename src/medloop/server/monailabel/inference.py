"""`/infer/`: proposals and clicks. The assistant computes, and nothing here holds a thread while it does."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, HTTPException, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError, NotFoundError
from medloop.core.image import label_values
from medloop.core.labels import mask_of
from medloop.core.records import Case, Label
from medloop.interaction.prompts import Prompt
from medloop.loop.foundation.arrays import load_proposal
from medloop.server.monailabel.files import Wanted, attachment, label_file, multipart, safe_name
from medloop.server.monailabel.forms import Params, Upload, object_of, sent_file
from medloop.server.monailabel.gestures import clicks_for_all, clicks_for_one, label_of, strokes
from medloop.server.monailabel.info import CLASSIFICATION, DEEPEDIT, DEEPGROW, SCRIBBLES, models_of
from medloop.server.monailabel.listing import label_names
from medloop.server.monailabel.proposing import drawn, proposal
from medloop.server.monailabel.scene import Scene, SceneHere
from medloop.server.monailabel.sent_images import NamedHere, case_of

router = APIRouter()
Output: TypeAlias = Literal["image", "json", "all", "dicom_seg"]


@dataclass(frozen=True, eq=False)
class Result:
    """What a model said: a mask, shape (I, J, K), with the names of what it holds, or none, and facts."""

    mask: MaskArray | None
    labels: tuple[Label, ...]
    names: dict[str, int]
    facts: Mapping[str, Any]


@router.post("/infer/{model}")
async def post_infer(
    scene: SceneHere,
    model: str,
    named: NamedHere,
    output: Output | None = None,
    params: Params = "{}",
    file: Upload = None,
    label: Upload = None,
) -> Response:
    """Run a model on an image of the project, of a session, or sent along: a mask as a file, facts as JSON, or both."""
    said = object_of(params)
    require_model(scene, model)
    wanted, began = Wanted.of(said) if said.get("result_extension") != ".json" else Wanted(), time.monotonic()
    packing = scene.surface.packing
    case = await to_thread.run_sync(case_of, scene, named, file, limiter=packing)
    prompts = await to_thread.run_sync(_prompts, scene, model, case, said, label, limiter=packing)
    read = time.monotonic()
    result = await (_refined(scene, model, case, prompts, said) if prompts else _proposed(scene, case))
    inferred = time.monotonic()
    return await to_thread.run_sync(_answer, case, result, wanted, output, (began, read, inferred), limiter=packing)


def require_model(scene: Scene, model: str) -> None:
    """Refuse a model that the project does not have.

    Raises:
        NotFoundError: Then.
    """
    known = models_of(scene.workspace.task)
    if model not in known:
        raise NotFoundError(f"The project's models are {', '.join(known)}, got {model[:40]!r}", remedy="see GET /info/")


def _prompts(scene: Scene, model: str, case: Case, said: Mapping[str, Any], label: UploadFile | None) -> list[Prompt]:
    task = scene.workspace.task
    if model == DEEPEDIT:
        by_label = any(one.name in said for one in task.labels)
        return clicks_for_one(task, said) if not by_label and (said.get("foreground")) else clicks_for_all(task, said)
    if model == DEEPGROW:
        found = clicks_for_one(task, said)
        if not found:
            raise InputError("deepgrow needs clicks: foreground or background is a list of [i, j, k], got none", remedy="click once")
        return found
    if model == SCRIBBLES:
        if label is None:
            raise InputError("scribbles needs a label map with strokes, got none", remedy="send it as the file label")
        with sent_file(label) as path:
            return strokes(task, case, path, said)
    return []


async def _proposed(scene: Scene, case: Case) -> Result:
    made, task = await proposal(scene, case), scene.workspace.task
    facts: dict[str, Any] = {"quality": made.quality, "prediction": []}
    if task.kind == CLASSIFICATION:
        scores = [{"label": one.name, "score": p} for one, p in zip(task.labels, made.probabilities, strict=False)]
        return Result(None, (), label_names(task), {**facts, "prediction": sorted(scores, key=lambda one: -float(str(one["score"])))})
    del facts["prediction"]
    mask = await run_in_threadpool(load_proposal, scene.workspace.store.blobs, made, case)
    return Result(mask, task.labels, label_names(task, frozenset(label_values(mask))), facts)


async def _refined(scene: Scene, model: str, case: Case, prompts: list[Prompt], said: Mapping[str, Any]) -> Result:
    found, task = await drawn(scene, case, prompts), scene.workspace.task
    facts = {"engine": found.engine}
    if model == DEEPEDIT:
        return Result(found.mask, task.labels, label_names(task, frozenset(label_values(found.mask))), facts)
    chosen = next(one for one in task.labels if one.value == label_of(task, said))
    alone = mask_of(task.labels, found.mask, chosen.value).astype(np.uint8)
    single = Label(value=1, name=chosen.name, colour=chosen.colour)
    return Result(alone, (single,), {chosen.name: 1} if alone.any() else {}, facts)


def _answer(case: Case, result: Result, wanted: Wanted, output: Output | None, times: tuple[float, float, float]) -> Response:
    if output == "dicom_seg":
        raise HTTPException(500, "DICOM SEG is not written here: medloop export --format dicom-seg refers to the images as they came")
    content, writing = b"", time.monotonic()
    if result.mask is not None and output != "json":
        content = label_file(case, result.mask, result.labels, wanted)
    params = {"label_names": result.names, "latencies": _latencies(times, writing), "centroids": {}, **result.facts}
    name = f"{safe_name(case.name)}{wanted.ending}"
    if output == "image":
        if not content:
            raise NotFoundError("This model gives classes, which are no image", remedy="send output=json")
        return attachment(content, name)
    return multipart(params, content, name) if content else JSONResponse(params)


def _latencies(times: tuple[float, float, float], writing: float) -> dict[str, Any]:
    began, read, inferred = times
    end = time.monotonic()
    parts = {"pre": read - began, "infer": inferred - read, "invert": 0.0, "post": writing - inferred, "write": end - writing}
    return {name: round(seconds, 4) for name, seconds in {**parts, "total": end - began}.items()} | {"transform": {"pre": {}, "post": {}}}
