"""A project worth looking at within a minute, without any file: phantoms with a hidden truth.

Some phantoms start with their truth as annotations, so that a first model exists soon; others keep theirs for the
learning curve; the truth of the rest is hidden, and the visitor annotates. The phantoms come in four contrasts, of
which starters and test cases each hold all.
"""

import hashlib
from pathlib import Path

from medloop.core.records import ProjectSettings, Source, Split
from medloop.images.phantoms import phantom_3d
from medloop.loop.data.cases import IMPORTER, Incoming, NewCase, add_case
from medloop.loop.foundation.annotators import annotator_named
from medloop.loop.foundation.round_moves import start_training
from medloop.loop.foundation.workspace import Workspace

DEMO_CASES = 24
STARTERS = frozenset({0, 1, 4, 5, 7})
TEST_CASES = frozenset({2, 3, 8, 9, 12, 13})
"""Indices of phantoms of `DEMO_SETTINGS.seed`."""

DEMO_SETTINGS = ProjectSettings(batch_size=4, train_after=2, train_minutes=1.0, warm_start="all", audit_fraction=0.0, samples=6, seed=7)
INSTRUCTIONS = "Outline both organs. Correct the proposal where it is wrong; U shows where the model is uncertain."


def create_demo(folder: Path) -> Workspace:
    """Make the demo project and ask for its first model.

    Raises:
        ConflictError: The folder already holds a project.
    """
    workspace = Workspace.create(
        folder,
        name="Demo: two organs in phantoms",
        kind="segmentation",
        labels=["large organ", "small organ"],
        instructions=INSTRUCTIONS,
        settings=DEMO_SETTINGS,
        actor="demo",
    )
    teacher = annotator_named(workspace, IMPORTER, program=True)
    for index in range(DEMO_CASES):
        phantom = phantom_3d(index, DEMO_SETTINGS.seed)
        split: Split = "test" if index in TEST_CASES else "train"
        digest = hashlib.sha256(phantom.image.array.tobytes()).hexdigest()
        source = Source(format="phantom", names=(phantom.name,), sha256=digest)
        new = NewCase(name=phantom.name, patient=phantom.patient, split=split, source=source)
        given = Incoming(phantom.mask, teacher) if index in STARTERS | TEST_CASES else None
        add_case(workspace, phantom.image, new, given, actor="demo")
    start_training(workspace, actor="demo")
    return workspace
