"""The projects in the pictures of the documentation, made of phantoms: a demonstration with two models, readings of three, tags."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter

from medloop.core.arrays import BoolArray, ImageArray, MaskArray
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.core.records import Display, ProjectSettings, Source
from medloop.images.phantoms import phantom_3d, phantom_tags
from medloop.interaction.runs import runs_between
from medloop.loop.annotating.annotations import next_assignment, open_case, submit
from medloop.loop.annotating.drafts import Edit, save_patch
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

FRAMES, SIDE = 24, 160
"""Of the film, whose pictures are square."""


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


def make_film(folder: Path) -> None:
    """A film of a chamber that contracts, with one frame drawn, and two frames that the template names."""
    rules = ProjectSettings(train_after=0, audit_fraction=0.0, template="end-diastole@first, end-systole@middle")
    pictures, inside = beating()
    with Workspace.create(folder, name="Echo", kind="segmentation", labels=["ventricle"], settings=rules) as workspace:
        seconds = tuple(round(n * 0.04, 2) for n in range(FRAMES))
        display = Display(modality="US", oriented=False, over_time=True, frame_seconds=seconds)
        source = Source(format="phantom", names=("echo-1",), sha256="0" * 64, display=display)
        image = Image(pictures, Grid(inside.shape, np.diag([-0.6, -0.6, 1.0, 1.0])))
        case = add_case(workspace, image, NewCase(name="echo-1", patient="echo-1", split="train", source=source))
        opened = open_case(workspace, case.id, annotator_named(workspace, "local").id)
        drawn, rows = np.zeros(inside.shape, dtype=np.uint8), np.flatnonzero(inside[..., 0].any(axis=0))
        for revision, part in enumerate(np.array_split(rows, 3)):
            before = drawn.copy()
            drawn[:, part, 0] = inside[:, part, 0]
            save_patch(workspace, opened.assignment.id, Edit(revision, runs_between(before, drawn)))


def beating() -> tuple[ImageArray, BoolArray]:
    """Speckled pictures (1, I, J, K) of a dark chamber in a bright wall, and where the chamber is, (I, J, K)."""
    rng = np.random.default_rng(4)
    i, j = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    sector = (np.hypot(i, j + SIDE / 2) < SIDE * 0.97) & (np.abs(i) < (j + SIDE / 2) * 0.8 + 4)
    speckle = gaussian_filter(rng.gamma(1.4, 1.0, (SIDE, SIDE)), 1.1)
    frames, inside = [], []
    for n in range(FRAMES):
        size = 1 - 0.28 * np.sin(np.pi * n / FRAMES) ** 2
        reach = np.hypot(i / (24 * size), (j - 4) / (42 * size))
        light = np.where(reach < 1, 0.12, np.where(reach < 1.35, 1.0, 0.5))
        frames.append(np.where(sector, gaussian_filter(light, 1.2) * speckle * 120, 0))
        inside.append((reach < 1) & sector)
    return np.clip(np.stack(frames, axis=-1), 0, 255).astype(np.uint8)[None], np.stack(inside, axis=-1)


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
