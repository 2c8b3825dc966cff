"""`/model/`, `/logs/` and `/datastore/dataset`: what a project has made, to be looked at and taken out."""

import html
import json
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from medloop.core.errors import ForbiddenError, NotFoundError
from medloop.core.records import Model
from medloop.loop.foundation.arrays import load_mask
from medloop.server.monailabel.files import Wanted, attachment, label_file, safe_name
from medloop.server.monailabel.inference import require_model
from medloop.server.monailabel.info import train_stats
from medloop.server.monailabel.listing import LABEL_ENDING, final_info, listed
from medloop.server.monailabel.scene import Scene, SceneHere
from medloop.server.web.zipping import ZipAnswer

router = APIRouter()
MADE_HERE = ForbiddenError("A model is what the project learned: it is neither replaced nor deleted", remedy="medloop models chooses one")
GPU_SECONDS = 10


@router.get("/model/info/{model}")
def get_model_info(scene: SceneHere, model: str) -> dict[str, Any]:
    """The digest of the weights in use, when they were made, and how good they are."""
    found = _live(scene, model)
    with scene.workspace.store.read() as tx:
        stats = train_stats(scene.workspace, tx)
    return {"checksum": f"SHA256:{found.weights[0]}", "modified_time": stats["start_ts"], "train_stats": stats}


@router.get("/model/{model}")
def get_model(scene: SceneHere, model: str) -> Response:
    """The weights in use as safetensors; of an ensemble those of its first member."""
    found = _live(scene, model)
    with scene.workspace.store.write(scene.actor) as tx:
        tx.record("export", "model", found.id, {"format": "weights", "client": "MONAI Label"})
    return attachment(scene.workspace.store.blobs.get(found.weights[0]), f"model-{found.index}.safetensors")


@router.put("/model/{model}")
@router.delete("/model/{model}")
def change_model() -> None:
    """Refused: models are made by training and kept."""
    raise ForbiddenError(MADE_HERE.message, remedy=MADE_HERE.remedy)


def _live(scene: Scene, model: str) -> Model:
    require_model(scene, model)
    with scene.workspace.store.read() as tx:
        found = tx.live_model()
    if found is None or not found.weights:
        raise NotFoundError("There is no model yet", remedy="annotate some cases first")
    return found


@router.get("/logs/", response_model=None)
def get_logs(
    scene: SceneHere,
    lines: Annotated[int, Query(ge=1, le=100_000)] = 300,
    text: bool = False,
    refresh: Annotated[int, Query(ge=0, le=3600)] = 0,
    html_page: Annotated[bool, Query(alias="html")] = True,
) -> Response:
    """The last lines of the newest jobs, as a page or as plain text."""
    jobs = scene.workspace.store.jobs
    found = [f"[{line.at}] [{job.kind}] {line.text}" for job in reversed(jobs.list(limit=50)) for line in jobs.logs(job.id, limit=100_000)]
    said = "\n".join(sorted(found)[-lines:])
    if text or not html_page:
        return PlainTextResponse(said)
    again = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    return HTMLResponse(f'<!doctype html><meta charset="utf-8">{again}<title>Logs</title><pre>{html.escape(said)}</pre>')


@router.get("/logs/gpu", response_model=None)
def get_gpu() -> Response:
    """What nvidia-smi says; 500 where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        raise HTTPException(500, "There is no nvidia-smi on this machine")
    done = subprocess.run([program], capture_output=True, text=True, timeout=GPU_SECONDS, check=False)
    return PlainTextResponse(done.stdout or done.stderr)


@router.get("/datastore/dataset", response_model=None)
def get_dataset(scene: SceneHere, limit_cases: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """The images that have a final label, with these, as a zip."""
    place = Path(tempfile.mkdtemp(prefix="medloop-dataset-"))
    try:
        _write_dataset(scene, place, limit_cases)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return ZipAnswer(place, "dataset.zip", partial(shutil.rmtree, place, ignore_errors=True))


def _write_dataset(scene: Scene, place: Path, limit: int | None) -> None:
    with scene.workspace.store.read() as tx:
        found = [one for one in listed(scene, tx) if one.standing is not None and one.standing.kind == "mask"][:limit]
    for folder in ("image", "label"):
        (place / folder).mkdir()
    about: dict[str, Any] = {}
    for number, one in enumerate(found):
        file = scene.surface.files.of(scene.workspace, one.case)
        name = f"{number:05d}-{safe_name(one.case.name)}"
        image, label = (
            f"image/{name}{file.path.suffixes[-2] if file.path.suffix == '.gz' else ''}{file.path.suffix}",
            f"label/{name}{LABEL_ENDING}",
        )
        shutil.copyfile(file.path, place / image)
        if one.standing is not None:
            mask = load_mask(scene.workspace.store.blobs, one.standing, one.case).array
            (place / label).write_bytes(label_file(one.case, mask, scene.workspace.task.labels, Wanted(LABEL_ENDING)))
            about[one.case.name] = {
                "image": image,
                "label": label,
                "info": final_info(scene.workspace.task, one.standing, one.by, one.about),
            }
    (place / "metadata.json").write_text(json.dumps({"name": scene.workspace.project.name, "objects": about}, indent=1), encoding="utf-8")
    with scene.workspace.store.write(scene.actor) as tx:
        body = {"format": "dataset", "cases": len(about), "client": "MONAI Label"}
        tx.record("export", "project", scene.workspace.project.id, body)
