from pathlib import Path

import pytest

from medloop.core.geometry import Grid
from medloop.core.records import Case, Snapshot, Source
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.learning.prepared import recipe_for

SNAPSHOT = Snapshot(id="snapshot-1", annotation_ids=(), digest="0" * 64, created_at="")


def case(channels: int = 1, shape: tuple[int, int, int] = (32, 32, 24)) -> Case:
    return Case(
        id="case-1",
        name="a",
        patient="a",
        split="train",
        grid=Grid.of_spacing(shape, (1, 1, 1)),
        channels=channels,
        dtype="uint8",
        voxels="",
        window=(0, 1),
        value_range=(0, 1),
        source=Source(format="phantom", names=("a",), sha256=""),
        added_at="",
    )


@pytest.mark.parametrize(
    ("labels", "mirrored"), [(["kidney"], True), (["left kidney", "right kidney"], False), (["Kidney_L"], False), (["bright spot"], True)]
)
def test_images_are_mirrored_only_when_labels_have_no_sides(tmp_path: Path, labels: list[str], mirrored: bool) -> None:
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=labels) as workspace:
        recipe = recipe_for(workspace, [case()], SNAPSHOT, threads=1)
    assert bool(recipe.flips) is mirrored


def test_one_model_reads_the_number_of_channels_that_most_annotated_cases_have(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["a"]) as workspace:
        assert recipe_for(workspace, [case(1), case(3)], SNAPSHOT, threads=1).channels == 3
        assert recipe_for(workspace, [case(1), case(3), case(1)], SNAPSHOT, threads=1).channels == 1


def test_grey_pictures_beside_coloured_ones_are_read_as_coloured(tmp_path: Path) -> None:
    flat = (32, 32, 1)
    with Workspace.create(tmp_path / "p", name="p", kind="segmentation", labels=["a"]) as workspace:
        assert recipe_for(workspace, [case(1, flat), case(3, flat)], SNAPSHOT, threads=1).channels == 3
        assert recipe_for(workspace, [case(1, flat)], SNAPSHOT, threads=1).channels == 1
