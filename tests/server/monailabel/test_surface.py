"""The surface rule by rule: addresses, shapes of answers and errors, origins, permissions, clicks; by sockets and the standard library."""

import io
import json
import re
import socket
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from medloop.core.records import Annotator, Assignment, Case
from medloop.images.read import read_image, read_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.server.app import create_app
from medloop.server.monailabel.app import described
from medloop.server.monailabel.door import NEEDS
from medloop.server.monailabel.files import Wanted, label_file
from tests.conftest import REPOSITORY
from tests.server.conftest import QUICK, SHAPE
from tests.server.monailabel.conftest import Surface, on_a_socket


def raw(surface: Surface, text: str) -> bytes:
    """What comes back for these bytes, until the server closes or is silent for a while."""
    with socket.create_connection(("127.0.0.1", surface.port), timeout=10) as line:
        line.sendall(text.replace("\n", "\r\n").encode())
        found = b""
        while b"\r\n\r\n" not in found or len(found.partition(b"\r\n\r\n")[2]) < int(re.search(rb"content-length: (\d+)", found)[1]):
            piece = line.recv(65536)
            if not piece:
                break
            found += piece
        return found


def form_parts(body: bytes, kind: str) -> dict[str, tuple[str, bytes]]:
    boundary = kind.partition("boundary=")[2].encode()
    found = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        found[re.search(rb' name="(\w+)"', head)[1].decode()] = (head.decode(), content)
    return found


def infer(surface: Surface, model: str = "segmentation", params: dict | None = None, query: str = "", **files: tuple[str, bytes]):
    return surface.send_form("POST", f"/infer/{model}?image={surface.case.name}{query}", {"params": params or {}}, **files)


def test_every_route_says_who_may_use_it_and_has_its_line_in_the_documentation() -> None:
    page = (REPOSITORY / "docs" / "monai-label.md").read_text(encoding="utf-8")
    assert set(described()) == set(NEEDS)
    assert [line for line, words in described().items() if f"| `{line}` | {NEEDS[line]} | {words} |" not in page] == []


def test_the_info_is_what_slicer_needs(surface: Surface) -> None:
    info = surface.get("/info/").json
    assert "config" not in info
    assert info["labels"] == ["large", "small"]
    assert {name: model["type"] for name, model in info["models"].items()} == {
        name: name for name in ("segmentation", "deepedit", "deepgrow", "scribbles")
    }
    for model in info["models"].values():
        assert (model["labels"], model["dimension"], model["config"]) == ({"large": 1, "small": 2}, 3, {})
    assert info["datastore"] == {"total": 5, "completed": 0, "label_tags": {"final": 0}}
    assert isinstance(info["train_stats"]["medloop"]["best_metric"], float)


def test_an_address_without_its_slash_leads_there(surface: Surface) -> None:
    moved = surface.get("/info")
    assert moved.status == 307
    assert moved.headers["location"].endswith(f"{surface.path}/info/")
    assert surface.get("").status == surface.get("/").status == 200


def test_a_get_with_the_head_of_another_call_is_answered_without_its_body(surface: Surface) -> None:
    head = f"GET {surface.path}/info/ HTTP/1.1\nHost: 127.0.0.1:{surface.port}\nContent-Type: application/json\nContent-Length: 400\n\n"
    assert raw(surface, head).startswith(b"HTTP/1.1 200")
    assert raw(surface, head.replace("GET", "DELETE").replace("/info/", "/train/")).endswith(b"null")


def test_an_inference_is_a_form_with_a_length(surface: Surface, tmp_path: Path) -> None:
    got = infer(surface, params={"result_extension": ".nrrd"})
    assert "transfer-encoding" not in got.headers
    assert "content-encoding" not in got.headers
    assert int(got.headers["content-length"]) == len(got.body)
    parts = form_parts(got.body, got.headers["content-type"])
    assert "filename" not in parts["params"][0]
    assert "application/json" in parts["params"][0]
    params = json.loads(parts["params"][1])
    assert params["label_names"] == {"large": 1}  # of what the mask holds: Slicer takes segments in order
    assert set(params["latencies"]) == {"pre", "infer", "invert", "post", "write", "total", "transform"}
    assert params["centroids"] == {}
    assert re.search(r'filename="[\w.-]+\.nrrd"', parts["image"][0])
    (tmp_path / "x.nrrd").write_bytes(parts["image"][1])
    assert (read_mask(tmp_path / "x.nrrd", surface.case.grid).array == 1).sum() == 27


def test_other_outputs_of_an_inference(surface: Surface, tmp_path: Path) -> None:
    assert infer(surface, query="&output=json").json["label_names"] == {"large": 1}
    picture = infer(
        surface, params={"result_extension": ".nrrd", "result_dtype": "uint16", "result_compress": False}, query="&output=image"
    )
    assert b"encoding: raw" in picture.body
    assert b"type: unsigned short" in picture.body
    assert 'filename="' in picture.headers["content-disposition"]
    segments = infer(surface, params={"result_extension": ".seg.nrrd"}, query="&output=image").body
    assert b"Segment0_Name:=large" in segments
    assert infer(surface, query="&output=dicom_seg").status == 500
    assert infer(surface, query="&output=nothing").status == 422
    assert infer(surface, params={"result_extension": ".exe"}).status == 422


def test_an_image_may_come_with_the_request(surface: Surface) -> None:
    content = surface.get(f"/datastore/image?image={surface.case.name}").body
    found = surface.send_form("POST", "/infer/segmentation?output=json", {"params": {}}, file=("any name.nii.gz", content))
    assert found.json["label_names"] == {"large": 1}
    assert surface.send_form("POST", "/infer/segmentation", {"params": {}}).status == 500  # neither image, file nor session


def test_errors_are_a_detail_in_one_line(surface: Surface) -> None:
    for method, path, status in (
        ("POST", "/infer/nothing?image=x", 404),
        ("POST", "/infer/segmentation?image=nothing", 404),
        ("GET", "/datastore/image?image=nothing", 404),
        ("GET", "/session/nothing", 404),
        ("GET", "/train/", 404),
        ("GET", "/auth/", 404),
        ("GET", "/proxy/dicom/qido/studies", 404),
        ("DELETE", "/model/segmentation", 403),
        ("GET", "/nothing", 404),
    ):
        got = surface.send(method, path)
        assert (method, path, got.status) == (method, path, status)
        assert "\n" not in got.json["detail"]
    faults = surface.send("PUT", "/datastore/label").json["detail"]
    assert {tuple(one["loc"]) for one in faults} == {("query", "image"), ("body", "label")}
    assert surface.send_form("POST", f"/infer/segmentation?image={surface.case.name}", {"params": [1]}).status == 422
    assert surface.send("HEAD", "/datastore/image?image=nothing").status == 404
    assert surface.get("/datastore/image/info?image=nothing").json == {}


def test_a_sample_is_opened_for_its_person_and_its_file_has_its_checksum(surface: Surface, tmp_path: Path) -> None:
    sample = surface.send_json("POST", "/activelearning/medloop", {"client_id": "me"}).json
    again = surface.send("POST", "/activelearning/medloop").json
    assert again["id"] == sample["id"]
    assert sample["strategy"]["medloop"]["client_id"] == "me"
    assert not Path(sample["path"]).exists()
    with surface.workspace.store.read() as tx:
        (opened,) = tx.find(Assignment, where={"state": "open"})
        case = tx.find(Case, where={"name": sample["id"]})[0]
        assert (opened.case_id, tx.get(Annotator, opened.annotator_id).name) == (case.id, "local")
    assert case.voxels[:12] in sample["name"]  # a client's cache by name never shows another image
    for wanted, status in ((sample["checksum"], 200), (sample["checksum"].partition(":")[2], 200), ("SHA256:00", 404)):
        assert surface.send("HEAD", f"/datastore/image?image={sample['id']}&check_sum={wanted}").status == status
    (tmp_path / "x.nii.gz").write_bytes(surface.get(f"/datastore/image?image={sample['id']}").body)
    assert read_image(tmp_path / "x.nii.gz").image.grid.same_as(case.grid)
    assert surface.send_json("POST", "/activelearning/random", {}).status == 404


def test_clicks_of_deepgrow_fill_one_label(assisted: Surface, tmp_path: Path) -> None:
    params = {"label": "small", "foreground": [[9, 7, 5]], "background": [[3, 3, 3]], "result_extension": ".nrrd"}
    got = infer(assisted, "deepgrow", params)
    parts = form_parts(got.body, got.headers["content-type"])
    (tmp_path / "x.nrrd").write_bytes(parts["image"][1])
    mask = read_mask(tmp_path / "x.nrrd", assisted.case.grid).array
    assert mask[9, 7, 5] == 1
    assert mask[3, 3, 3] == 0
    assert json.loads(parts["params"][1])["label_names"] == {"small": 1}
    with assisted.workspace.store.read() as tx:
        assert [one.revision for one in tx.find(Assignment)] == [0]  # shown, not saved


def test_clicks_of_deepedit_correct_the_proposal(assisted: Surface, tmp_path: Path) -> None:
    said = {"large": [], "small": [[9, 7, 5]], "background": [[2, 2, 2]], "label": "small", "result_extension": ".nrrd"}
    got = infer(assisted, "deepedit", said)
    parts = form_parts(got.body, got.headers["content-type"])
    (tmp_path / "x.nrrd").write_bytes(parts["image"][1])
    mask = read_mask(tmp_path / "x.nrrd", assisted.case.grid).array
    assert (mask[9, 7, 5], mask[4, 4, 4]) == (2, 1)
    for wrong in ({"foreground": [[1, 2, 99]], "label": "large"}, {"foreground": [[1, 2, 3]]}, {"foreground": "x", "label": "large"}):
        refused = infer(assisted, "deepgrow", wrong)
        assert (refused.status, "\n" in refused.json["detail"]) == (422, False)


def test_strokes_come_as_a_label_map(assisted: Surface) -> None:
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[9, 6:8, 5] = 4  # foreground: two labels, plus 2
    content = label_file(assisted.case, drawn, (), Wanted(".nrrd"))
    got = infer(assisted, "scribbles", {"label": "small"}, "&output=json", label=("x.nrrd", content))
    assert got.json["label_names"] == {"small": 1}


def test_without_accounts_only_known_pages_may_call(surface: Surface) -> None:
    assert surface.get("/info/", Origin="https://evil.example").status == 403
    own = f"http://127.0.0.1:{surface.port}"
    allowed = surface.get("/info/", Origin=own)
    assert (allowed.status, allowed.headers["access-control-allow-origin"]) == (200, own)
    assert surface.send("PUT", "/datastore/label?image=x", b"", Origin="https://evil.example").status == 403
    assert surface.get("/info/", Host="evil.example").status == 400
    assert surface.get(f"/datastore/image?image={surface.case.name}", Sec_Fetch_Site="cross-site").status == 403  # a picture in its page


def test_a_listed_page_may_call_with_its_forms(folder: Path) -> None:
    settings = replace(QUICK, origins="http://ohif:3000")
    with on_a_socket(create_app(folder, settings)) as port, Workspace.open(folder) as workspace:
        surface = Surface(port, workspace)
        asked = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "content-type,authorization"}
        preflight = surface.send("OPTIONS", "/datastore/label", Origin="http://ohif:3000", **asked)
        assert preflight.status == 200
        assert preflight.headers["access-control-allow-origin"] == "http://ohif:3000"
        assert preflight.headers["access-control-allow-headers"] == "content-type,authorization"
        assert surface.get("/info/", Origin="http://ohif:3000").headers["access-control-allow-origin"] == "http://ohif:3000"


def test_training_is_asked_for_once(surface: Surface) -> None:
    assert surface.send_json("POST", "/train/medloop", {}).json["status"] == "SUBMITTED"
    assert surface.send_json("POST", "/train/medloop", {}).status == 429
    assert surface.send_json("POST", "/train/medloop?enqueue=true", {}).status == 200
    assert surface.send_json("POST", "/train/", {"medloop": {"max_epochs": 1}}).json["medloop"]["detail"] is None
    assert surface.get("/train/?check_if_running=true").status == 404
    stopped = surface.send("DELETE", "/train/").json
    assert (stopped["status"], bool(stopped["details"])) == ("STOPPED", True)
    assert surface.send("DELETE", "/train/").json is None
    assert surface.send_json("POST", "/train/nothing", {}).status == 404
    assert "text/plain" in surface.get("/logs/?text=true").headers["content-type"]


def test_the_dataset_is_a_zip_of_final_labels(surface: Surface, tmp_path: Path) -> None:
    raw_mask = np.ones(SHAPE, np.uint8).tobytes()
    path = f"/datastore/label?image={surface.case.name}"
    assert surface.send_form("PUT", path, {"params": {}}, label=("label.bin", raw_mask)).status == 200
    with zipfile.ZipFile(io.BytesIO(surface.get("/datastore/dataset").body)) as found:
        names = sorted(found.namelist())
        assert [name.partition("/")[0] for name in names] == ["image", "label", "metadata.json"]
    assert [one["image"].startswith("/medloop/") for one in surface.get("/datastore/?output=train").json] == [True]


def test_a_removed_image_is_flagged_and_stays(surface: Surface) -> None:
    assert surface.send("DELETE", f"/datastore/?id={surface.case.name}").json == {}
    assert surface.case.name not in surface.get("/datastore/?output=all").json["objects"]
    assert surface.get("/info/").json["datastore"]["total"] == 4
    assert surface.get(f"/datastore/image?image={surface.case.name}").status == 200


def test_outlines_are_of_flat_pictures(surface: Surface) -> None:
    assert surface.send_json("POST", f"/infer/wsi/segmentation?image={surface.case.name}", {}).status == 409
