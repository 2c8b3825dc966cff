"""Exports over REST: the same files as the command writes, in a zip that is made while it is sent, and nothing left behind."""

import csv
import hashlib
import io
import re
import tracemalloc
import zipfile
from pathlib import Path
from typing import get_args

import anyio
import numpy as np
import pytest

from medloop.core.records import Annotation, Annotator
from medloop.loop.annotating.annotations import next_assignment, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.exporting import FORMATS, export_project
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.workspace import Workspace
from medloop.server.routes import exporting
from medloop.server.web.zipping import CHUNK, ZipAnswer, zipped

from .conftest import SHAPE, Site, serve_in_process


def annotated(workspace: Workspace, label: int = 1) -> None:
    opened = next_assignment(workspace, annotator_named(workspace, "Mia").id)
    submit(workspace, opened.assignment.id, Submitted(mask=np.full(SHAPE, label, np.uint8)))


def files_of(answer) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob(".export-*"))


@pytest.mark.parametrize("fmt", ["nifti", "msd", "nnunet", "nrrd"])
def test_the_zip_holds_what_the_command_writes(site: Site, tmp_path: Path, fmt: str) -> None:
    annotated(site.workspace)
    answer = site.client.get(f"{site.url}/export?format={fmt}")
    assert answer.headers["content-disposition"].endswith(f"filename*=UTF-8''Phantoms%20%28segmentation%29-{fmt}.zip")
    export_project(site.workspace, tmp_path / fmt, fmt)
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in (tmp_path / fmt).rglob("*") if path.is_file()}
    found = files_of(answer)
    found.pop("notes.txt", None)
    assert {name: len(content) for name, content in found.items()} == {name: len(content) for name, content in written.items()}
    assert left_in(site.workspace.folder) == []


def test_the_audit_names_who_took_it_out(site: Site) -> None:
    annotated(site.workspace)
    assert site.client.get(f"{site.url}/export?format=nifti", headers={"X-Annotator": "Ada"}).status_code == 200
    with site.workspace.store.read() as tx:
        (event,) = [one for one in tx.events() if one.verb == "export"]
        assert event.actor == "Ada"
        assert [one.name for one in tx.find(Annotator)] == ["Mia"], "nobody joins by taking data out"


@pytest.mark.parametrize(
    ("query", "status"), [("format=csv", 422), ("format=zip", 422), ("", 422), ("format=nifti&model=1", 422), ("format=model", 404)]
)
def test_an_export_that_cannot_be_is_refused_before_a_byte_is_sent(site: Site, query: str, status: int) -> None:
    annotated(site.workspace)
    answer = site.client.get(f"{site.url}/export?{query}")
    assert (answer.status_code, "error" in answer.json()) == (status, True)
    assert left_in(site.workspace.folder) == []


@pytest.mark.parametrize(("site_of", "status"), [("cross-site", 403), ("same-site", 403), ("none", 200), ("same-origin", 200)])
def test_no_foreign_page_makes_somebody_take_data_out(site: Site, site_of: str, status: int) -> None:
    annotated(site.workspace)
    answer = site.client.get(f"{site.url}/export?format=nifti", headers={"Sec-Fetch-Site": site_of})
    assert answer.status_code == status
    with site.workspace.store.read() as tx:
        assert len([one for one in tx.events() if one.verb == "export"]) == (status == 200)


def test_without_annotations_there_is_nothing_to_take_and_room_is_left(site: Site) -> None:
    for _ in range(exporting.EXPORTS_AT_ONCE + 1):
        assert site.client.get(f"{site.url}/export?format=nifti").status_code == 404


def test_what_was_left_out_is_said_in_the_zip(site: Site) -> None:
    annotated(site.workspace)
    annotated(site.workspace, 2)
    with site.workspace.store.read() as tx:
        path = site.workspace.store.blobs.path(tx.find(Annotation)[0].blob)
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    found = files_of(site.client.get(f"{site.url}/export?format=nifti"))
    assert "damaged" in found["notes.txt"].decode()


def test_more_exports_at_once_than_there_is_room_for_wait(site: Site) -> None:
    for _ in range(exporting.EXPORTS_AT_ONCE):
        assert exporting._room.acquire(blocking=False)
    try:
        answer = site.client.get(f"{site.url}/export?format=nifti")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
    finally:
        for _ in range(exporting.EXPORTS_AT_ONCE):
            exporting._room.release()


def test_what_a_killed_server_left_is_removed_at_the_next_start(folder: Path) -> None:
    left = folder / ".export-left"
    left.mkdir()
    (left / "image.nii.gz").write_bytes(b"x")
    for _site in serve_in_process(folder):
        assert not left.exists()


def test_a_zip_of_large_files_never_stands_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(3):
        (tmp_path / f"{n}.nii.gz").write_bytes(rng.bytes(20_000_000))
    tracemalloc.start()
    digest, size, longest = hashlib.sha256(), 0, 0
    for part in zipped(tmp_path):
        digest.update(part)
        size, longest = size + len(part), max(longest, len(part))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 60_000_000
    assert longest < 2 * CHUNK
    assert peak < 8_000_000


def test_a_client_that_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "large.nii.gz").write_bytes(bytes(4_000_000))
    ended: list[bool] = []
    answer = ZipAnswer(folder, "x.zip", lambda: ended.append(True))

    async def gone() -> dict:
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client has gone")

    async def serve() -> None:
        await answer({"type": "http", "asgi": {"spec_version": "2.4"}}, gone, send)

    with pytest.raises(Exception):  # noqa: B017, PT011  # whatever Starlette makes of it
        anyio.run(serve)
    assert ended == [True]


def test_classes_come_as_a_table(tag_folder: Path) -> None:
    for site in serve_in_process(tag_folder):
        opened = next_assignment(site.workspace, annotator_named(site.workspace, "Mia").id)
        submit(site.workspace, opened.assignment.id, Submitted(tag=1))
        found = files_of(site.client.get(f"{site.url}/export?format=csv"))
        (table,) = [content for name, content in found.items() if name.endswith(".csv")]
        assert len(list(csv.reader(io.StringIO(table.decode())))) == 2


def test_the_route_and_the_page_offer_every_format_that_the_command_line_writes() -> None:
    panel = (Path(__file__).resolve().parents[2] / "frontend/src/views/exportpanel.tsx").read_text(encoding="utf-8")
    lists = panel.split("const MODELS")[1].split("export function")[0].replace('Project["kind"]', "")
    offered = set(re.findall(r'"([a-z-]+)"', lists))
    assert offered == set(get_args(get_args(exporting.Format)[0])) == set(FORMATS)
