"""The whole path of an annotation in Firefox: opened, drawn, prompted, saved and submitted."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from medloop.core.records import Annotation, Case
from medloop.loop.annotating.drafts import read_draft
from medloop.loop.foundation.arrays import load_mask

from .conftest import INTRODUCED, Serve
from .firefox import Firefox, Point, running
from .test_previews import PHANTOM, SETTINGS, project_of
from .test_refine import deepest


def point(firefox: Firefox, voxel: tuple[int, int, int]) -> Point:
    at = firefox.evaluate("window.medloop.pointOf('axial', {}, {}, {})".format(*voxel))
    return at["x"], at["y"]


@pytest.mark.browser
def test_firefox_opens_draws_prompts_saves_and_submits(tmp_path: Path, serve: Serve) -> None:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("no firefox: install the package 'firefox-esr'")
    project = project_of(tmp_path / "project", SETTINGS, cases=2)
    address = serve(project.folder, assistant=True)
    with running(program, tmp_path / "profile") as firefox:
        firefox.before_each_page(INTRODUCED)
        firefox.open(f"{address.rstrip('/')}/#/p/{project.project.id}/next")
        firefox.wait_for("window.medloop?.seen")
        case, assignment = firefox.evaluate("[window.medloop.caseId, window.medloop.assignmentId]")
        k = firefox.evaluate("window.medloop.crosshair")[2]

        firefox.press("2")
        firefox.press("b")
        firefox.drag(*(point(firefox, (i, 4, k)) for i in (4, 8, 12)))
        firefox.wait_for("window.medloop.saved === 'saved' && window.medloop.revision === 1")
        drawn = read_draft(project, assignment).mask
        assert drawn[4, 4, k] == drawn[12, 4, k] == 2
        assert firefox.evaluate("window.medloop.labelCounts()") == {"2": int((drawn == 2).sum())}

        firefox.press("1")
        firefox.press("c")
        firefox.wait_for("window.medloop.engine")
        liver = deepest(PHANTOM.mask.array == 1, 2, k)
        firefox.drag(point(firefox, liver))
        firefox.wait_for("window.medloop.prompts.length === 1 && window.medloop.revision === 2")
        prompted = read_draft(project, assignment).mask
        assert prompted[liver] == 1
        assert np.array_equal(prompted == 2, drawn == 2)
        firefox.screenshot(tmp_path / "firefox.png")

        firefox.press("Enter")
        firefox.wait_for(f"window.medloop.caseId !== '{case}' && window.medloop.seen")
        assert firefox.errors == []
    with project.store.read() as tx:
        (annotation,) = tx.find(Annotation)
        submitted = load_mask(project.store.blobs, annotation, tx.get(Case, case))
    assert np.array_equal(submitted.array, prompted)
