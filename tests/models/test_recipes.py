import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medloop.core.errors import InputError, SettingError
from medloop.core.geometry import Grid
from medloop.models.foundation.recipes import CaseShape, Recipe, choose_recipe, fingerprint
from medloop.models.foundation.resample import working_shape


def choose(shape, spacing=(1.0, 1.0, 1.0), *, minutes=10.0, kind="segmentation", channels=1, members=1):
    found = fingerprint([CaseShape(shape, spacing, channels)])
    return choose_recipe(found, kind=kind, classes=3, minutes=minutes, threads=1, seed=0, members=members)


def test_a_recipe_survives_json(recipe_3d):
    assert Recipe.from_json(json.loads(json.dumps(recipe_3d.to_json()))) == recipe_3d


def test_a_recipe_from_before_folding_keeps_its_network(recipe_3d):
    older = {name: value for name, value in recipe_3d.to_json().items() if name != "fold"}
    assert Recipe.from_json(older).fold == (1, 1, 1)


def test_a_recipe_from_before_heads_keeps_its_one_head(recipe_3d):
    older = {name: value for name, value in recipe_3d.to_json().items() if name != "heads"}
    assert Recipe.from_json(older).heads == 1


def test_several_heads_are_for_masks(recipe_tags):
    with pytest.raises(SettingError, match="heads"):
        dataclasses.replace(recipe_tags, heads=2)


def test_a_short_training_is_not_folded():
    assert choose((35, 50, 36), minutes=1).fold == (1, 1, 1)


def test_a_classification_is_not_folded():
    assert choose((400, 270, 1), kind="classification").fold == (1, 1, 1)


def test_a_recipe_of_another_version_is_refused_by_name(recipe_3d):
    with pytest.raises(SettingError, match="no field 'magic'"):
        Recipe.from_json({**recipe_3d.to_json(), "magic": 1})
    with pytest.raises(SettingError, match="patch"):
        Recipe.from_json({name: value for name, value in recipe_3d.to_json().items() if name != "patch"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", 0),
        ("steps", -1),
        ("dropout", 1.0),
        ("patch", (5, 5, 5)),
        ("dimension", 4),
        ("flips", (3,)),
        ("classes", 1),
        ("precision", "half"),
    ],
)
def test_a_value_outside_its_range_is_refused(recipe_3d, field, value):
    with pytest.raises(SettingError):
        dataclasses.replace(recipe_3d, **{field: value})


def test_a_fingerprint_takes_medians_and_notices_uneven_spacing():
    found = fingerprint(
        [CaseShape((10, 20, 30), (1, 1, 1), 2), CaseShape((12, 20, 30), (1, 1, 3), 2), CaseShape((14, 26, 30), (1, 1, 3), 2)]
    )
    assert found.shape == (12, 20, 30)
    assert found.spacing_mm == (1, 1, 3)
    assert not found.uniform
    assert found.dimension == 3


def test_pictures_zoomed_to_their_object_are_noticed():
    zoomed = [CaseShape((400, 270, 1), (mm, mm, 1.0), 1) for mm in (0.07, 0.14, 0.2, 0.31)]
    cropped = [CaseShape((side, side, 1), (0.2, 0.2, 1.0), 1) for side in (200, 300, 400, 600)]
    scanned = [CaseShape((round(300 / mm), round(300 / mm), 1), (mm, mm, 1.0), 1) for mm in (0.1, 0.2, 0.4)]
    volumes = [CaseShape((400, 270, 12), (mm, mm, 5.0), 1) for mm in (0.07, 0.14, 0.2, 0.31)]
    assert [fingerprint(cases).framed for cases in (zoomed, cropped, scanned, volumes)] == [True, False, False, False]


def test_zoomed_pictures_all_reach_the_network_at_one_size():
    shapes = [CaseShape((400, 270, 1), (mm, mm, 1.0), 1) for mm in (0.07, 0.14, 0.2, 0.31)]
    recipe = choose_recipe(fingerprint(shapes), kind="segmentation", classes=2, minutes=2, threads=1, seed=0)
    seen = {working_shape(recipe, Grid.of_spacing(case.shape, case.spacing_mm)) for case in shapes}
    assert len(seen) == 1
    assert all(abs(n / p - 1) < 0.35 for n, p in zip(seen.pop()[:2], recipe.patch[:2], strict=True))
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


CROPS = [CaseShape((i, j, 1), (1.0, 1.0, 1.0), 1) for i, j in ((93, 100), (149, 185), (261, 125), (544, 916), (1024, 613))]


def test_pictures_of_unknown_pixel_size_that_differ_much_are_all_seen_whole():
    recipe = choose_recipe(fingerprint(CROPS), kind="segmentation", classes=2, minutes=5, threads=1, seed=0)
    for case in CROPS:
        seen = working_shape(recipe, Grid.of_spacing(case.shape, case.spacing_mm))
        assert all(n <= p for n, p in zip(seen, recipe.patch, strict=True))
        assert any(n == p for n, p in zip(seen[:2], recipe.patch[:2], strict=True))
        assert seen[0] / seen[1] == pytest.approx(case.shape[0] / case.shape[1], rel=0.03)
    assert working_shape(recipe, Grid.of_spacing((3, 9000, 1), (1.0, 1.0, 1.0))) == (1, recipe.patch[1], 1)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_pictures_with_a_pixel_size_or_of_about_one_size_keep_their_scale():
    known = [dataclasses.replace(case, spacing_mm=(0.2, 0.2, 1.0)) for case in CROPS]
    tiles = [CaseShape((i, j, 1), (1.0, 1.0, 1.0), 1) for i, j in ((256, 256), (320, 256), (360, 360), (256, 256))]
    recipes = [choose_recipe(fingerprint(c), kind="segmentation", classes=2, minutes=5, threads=1, seed=0) for c in (known, tiles)]
    assert [recipe.fitted for recipe in recipes] == [False, False]


def test_a_fingerprint_needs_cases_that_agree_on_channels():
    with pytest.raises(InputError, match="at least one case"):
        fingerprint([])
    with pytest.raises(InputError, match=r"\[1, 3\]"):
        fingerprint([CaseShape((4, 4, 2), (1, 1, 1), 1), CaseShape((4, 4, 2), (1, 1, 1), 3)])
    assert fingerprint([CaseShape((4, 4, 1), (1, 1, 1), 1), CaseShape((4, 4, 1), (1, 1, 1), 3)]).channels == 3


def test_a_hippocampus_sized_set_keeps_its_spacing_and_is_seen_whole():
    recipe = choose((35, 50, 36), minutes=25)
    assert recipe.dimension == 3
    assert recipe.spacing_mm is None
    assert all(abs(p - n) <= 4 for p, n in zip(recipe.patch, (35, 50, 36), strict=True))
    assert recipe.fold == (2, 2, 2)
    assert recipe.features == (32, 64, 128)


def test_thick_slices_are_halved_in_plane_first():
    recipe = choose((224, 256, 10), (1.5, 1.5, 10.0))
    assert recipe.fold == (2, 2, 1)
    assert recipe.kernels[0] == (3, 3, 1)
    assert recipe.kernels[-1] == (3, 3, 3)
    assert recipe.patch[2] >= 8


def test_a_picture_gets_a_flat_recipe():
    recipe = choose((400, 270, 1))
    assert recipe.dimension == 2
    assert recipe.patch[2] == 1
    assert recipe.fold[2] == 1
    assert all(stride[2] == 1 for stride in recipe.strides)


def test_a_large_scan_is_made_coarser_rather_than_seen_through_a_keyhole():
    recipe = choose((512, 512, 300), (0.8, 0.8, 1.0), minutes=10)
    assert recipe.spacing_mm is not None
    assert min(recipe.spacing_mm) > 1.5


def test_more_time_buys_more_voxels_per_step():
    small, large = choose((128, 128, 128), minutes=1), choose((128, 128, 128), minutes=60)
    assert small.patch[0] < large.patch[0]


def test_recipes_load_without_torch():
    code = "import sys, medloop.models.foundation.recipes, medloop.models.foundation.normalise; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 700)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 12)] * 3),
    minutes=st.floats(0.1, 500),
    kind=st.sampled_from(["segmentation", "classification"]),
)
def test_any_data_set_gets_a_valid_recipe(shape, spacing, minutes, kind):
    recipe = choose(shape, spacing, minutes=minutes, kind=kind)
    assert recipe.dimension == (2 if shape[2] == 1 else 3)
    assert all(p % s == 0 for p, s in zip(recipe.patch, recipe.stride, strict=True))
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_a_recipe_from_before_hints_is_not_guided(recipe_3d):
    older = {name: value for name, value in recipe_3d.to_json().items() if name not in ("guided", "hints")}
    read = Recipe.from_json(older)
    assert (read.guided, read.guidance, read.inputs) == (False, 0, read.channels)


def test_a_guided_recipe_counts_its_channels(recipe_3d):
    guided = dataclasses.replace(recipe_3d, guided=True, classes=4)
    assert guided.inputs == guided.channels + 3 + 4 + 3


def test_classes_of_whole_images_take_no_hints(recipe_tags):
    with pytest.raises(SettingError, match="guided"):
        dataclasses.replace(recipe_tags, guided=True)
    with pytest.raises(SettingError, match="euclidean, geodesic or discs"):
        dataclasses.replace(recipe_tags, hints="rays")


def test_a_recipe_from_before_augmented_changes_patches_as_often_as_ever_and_its_checkpoints_go_on(recipe_3d):
    before = {name: value for name, value in recipe_3d.to_json().items() if name != "augmented"}
    assert Recipe.from_json(before) == recipe_3d
    assert "augmented" not in recipe_3d.identity
    with pytest.raises(SettingError, match="augmented"):
        dataclasses.replace(recipe_3d, augmented=-1.0)
