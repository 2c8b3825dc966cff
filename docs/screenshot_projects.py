"""The projects in the pictures of the documentation, made of phantoms: a demonstration with two models, readings of three, tags."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from medloop.core.arrays import MaskArray
from medloop.core.records import ProjectSettings, Source
from medloop.images.phantoms import phantom_3d, phantom_tags
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.submission import Submitted
from medloop.loop.data.cases import NewCase, add_case
from medloop.loop.data.demo import DEMO_CASES, DEMO_SETTINGS, create_demo
from medloop.loop.foundation.annotators import annotator_named, set_cost
from medloop.loop.foundation.configuring import configure
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.worker import drain

STEPS = 240
"""Of each training: a proposal that is mostly right, and wrong where a reader sees it."""

ROUND_SECONDS = (118.0, 96.0, 83.0, 71.0)
"""What the cases of the demonstration's first round took."""

PICTURES = 24


def make_demo(folder: Path) -> None:
    """The demonstration after its first round: two models, the second one better."""
    with create_demo(folder) as workspace:
        configure(workspace, settings={"train_steps": STEPS, "target_score": 0.9}, actor="demo")
        drain(workspace)
        reader = annotator_named(workspace, "local")
        for seconds in ROUND_SECONDS:
            opened = next_assignment(workspace, reader.id)
            assert opened is not None
            submit(workspace, opened.assignment.id, Submitted(mask=truth_of(opened.case.name), effort_seconds=seconds))
        drain(workspace)


def truth_of(name: str) -> MaskArray:
    """The hidden truth of a case of the demonstration."""
    return next(phantom.mask.array for phantom in (phantom_3d(n, DEMO_SETTINGS.seed) for n in range(DEMO_CASES)) if phantom.name == name)


def make_readings(folder: Path) -> None:
    """Phantoms that three people have read, with their consensus: one close to the truth, one too generous, one careless."""
    rules = ProjectSettings(readings=3, consensus="staple", review="disagreement", minimum_agreement=0.8, train_after=0, audit_fraction=0.0)
    readers: tuple[tuple[str, float, Callable[[MaskArray], MaskArray]], ...] = (
        ("Ann", 140.0, np.copy),
        ("Bob", 95.0, grown),
        ("Eva", 40.0, shrunk),
    )
    with Workspace.create(folder, name="Abdomen", kind="segmentation", labels=["liver", "kidneys"], settings=rules) as workspace:
        for index in range(4):
            phantom = phantom_3d(index)
            source = Source(format="phantom", names=(phantom.name,), sha256=f"{index:064d}")
            case = add_case(workspace, phantom.image, NewCase(name=phantom.name, patient=phantom.patient, split="train", source=source))
            assert case is not None
            for name, seconds, changed in readers:
                opened = open_case(workspace, case.id, annotator_named(workspace, name).id)
                submit(workspace, opened.assignment.id, Submitted(mask=changed(phantom.mask.array), effort_seconds=seconds))
        for name, cost in (("Ann", 2.5), ("Bob", 1.2), ("Eva", 0.8)):
            set_cost(workspace, name, cost, actor=annotator_named(workspace, "Rita").id)
        drain(workspace)


def make_pictures(folder: Path) -> None:
    """Pictures of which half show a lesion, none of them annotated."""
    rules = ProjectSettings(train_after=0, audit_fraction=0.0, validation_fraction=0.0, test_fraction=0.0)
    with Workspace.create(folder, name="Liver lesions", kind="classification", labels=["no lesion", "lesion"], settings=rules) as workspace:
        for index in range(PICTURES):
            phantom = phantom_tags(index)
            source = Source(format="phantom", names=(phantom.name,), sha256=f"{index:064d}")
            add_case(workspace, phantom.image, NewCase(name=phantom.name, patient=phantom.patient, split="train", source=source))


def grown(mask: MaskArray) -> MaskArray:
    """Every label two voxels too large."""
    made = mask.copy()
    for label in (1, 2):
        made[binary_dilation(mask == label, iterations=2) & (mask == 0)] = label
    return made


def shrunk(mask: MaskArray) -> MaskArray:
    """Every label a voxel too small, and one kidney is missed."""
    made = np.zeros_like(mask)
    for label in (1, 2):
        made[binary_erosion(mask == label)] = label
    made[: mask.shape[0] // 2][made[: mask.shape[0] // 2] == 2] = 0
    return made
