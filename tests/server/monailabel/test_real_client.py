"""The client package of MONAI Label itself, unchanged, in a process of its own; 3D Slicer's module bundles a copy of it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from medloop.core.image import Image, Mask
from medloop.images.nifti import write_image, write_mask
from medloop.images.phantoms import phantom_3d
from medloop.images.read import read_mask
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.people.accounts import add_account
from medloop.loop.people.handing_out import set_password
from medloop.loop.people.passwords import hash_password
from medloop.loop.people.places import opened_accounts
from medloop.server.app import create_app
from tests.conftest import REPOSITORY
from tests.server.conftest import QUICK, SHAPE
from tests.server.monailabel.conftest import Surface, on_a_socket, predict_all

PEERS = REPOSITORY / ".venv" / "peers"
PROGRAM = Path(__file__).with_name("client_program.py")


@pytest.fixture
def peers() -> Path:
    if not (PEERS / "monailabel").is_dir():
        if os.environ.get("MEDLOOP_NO_SKIP"):
            pytest.fail("monailabel is not installed in .venv/peers: make .venv/.installed-test")
        pytest.skip("monailabel is not installed in .venv/peers")
    return PEERS


def driven(peers: Path, surface: Surface, tmp_path: Path, *signed_in: str) -> dict:
    """What the client got for one label, one image of the project and one new image."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:6, 2:6, 2:6] = 2
    write_mask(tmp_path / "label.nii.gz", Mask(mask, surface.case.grid))
    phantom = phantom_3d(99, 3, shape=SHAPE)
    write_image(tmp_path / "new.nii.gz", Image(phantom.image.array, phantom.image.grid))
    image = tmp_path / "new.nii.gz"
    if not signed_in:
        image = tmp_path / "known.nii.gz"
        image.write_bytes(surface.get(f"/datastore/image?image={surface.case.name}").body)
    command = [sys.executable, str(PROGRAM), surface.url, str(tmp_path), str(tmp_path / "label.nii.gz"), str(image), *signed_in]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(peers)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_client_lists_infers_saves_trains_and_uploads(peers: Path, surface: Surface, tmp_path: Path) -> None:
    got = driven(peers, surface, tmp_path)
    assert got["auth"] is False
    assert got["info"]["labels"] == ["large", "small"]
    assert got["info again, with the headers of the call before"] == got["info"]["name"]
    case = got["sample"]["id"]
    assert case in got["datastore"]["objects"]
    assert got["infer"]["params"]["latencies"]["total"] >= 0
    assert got["saved"]["label"] == case
    taken = read_mask(got["downloaded"]).array
    assert (taken == 2).sum() == 64
    assert got["in a session"] == {"large": 1}
    assert (got["training"], got["trained"], got["stopped"]["status"], got["status"]) == (False, "SUBMITTED", "STOPPED", "STOPPED")
    assert got["stopped"]["details"]
    assert got["uploaded"]["image"] == surface.case.name  # the same voxels are not stored twice
    assert "models are" in got["refused"]


@pytest.fixture
def guarded(templates: Path, tmp_path: Path) -> Iterator[Surface]:
    """The same project with accounts: Ada may do everything, Vic may look."""
    root = Path(shutil.copytree(templates, tmp_path / "served"))
    store = opened_accounts(root, make=True)
    assert store is not None
    with closing(store):
        for name, role in (("Ada", "administrator"), ("Vic", "viewer")):
            account = add_account(store, name, role=role)
            set_password(store, account.id, hash_password("correct horse battery", name=name))
    with Workspace.open(root / "segmentation") as workspace:
        predict_all(workspace)
        with on_a_socket(create_app(root, QUICK)) as port:
            yield Surface(port, workspace)


def test_the_client_signs_in_where_there_are_accounts(peers: Path, guarded: Surface, tmp_path: Path) -> None:
    got = driven(peers, guarded, tmp_path, "Ada", "correct horse battery")
    assert (got["auth"], got["valid"]) == (True, True)
    assert got["uploaded"] == {"image": "arrived"}
    assert guarded.get("/info/").status == 401
    assert SimpleITK.ReadImage(got["infer"]["file"]).GetSize() == SHAPE
