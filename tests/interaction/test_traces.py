"""Traces of a pointer or of gaze: read as they are written, refused in one line, turned into a mask."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medloop.core.errors import CancelledError, FormatError, InputError
from medloop.core.geometry import Grid
from medloop.core.image import Image
from medloop.interaction.dwell import dwell
from medloop.interaction.traces import Trace, read_trace
from medloop.metrics.overlap import dice

GRID = Grid((40, 30, 5), np.array([[0.5, 0, 0, 10], [0, 0.5, 0, -4], [0, 0, 2, 1], [0, 0, 0, 1.0]]))


def disc_image(shape: tuple[int, int, int] = (40, 30, 5), radius: float = 6) -> tuple[Image, np.ndarray]:
    x, y, _ = np.mgrid[: shape[0], : shape[1], : shape[2]]
    inside = (x - 20) ** 2 + (y - 15) ** 2 <= radius**2
    speckle = np.random.default_rng(0).normal(size=shape) * 3
    return Image((inside * 100 + speckle)[None].astype(np.float32), Grid(shape, np.diag([0.5, 0.5, 2, 1.0]))), inside


def looked_at(inside: np.ndarray, slices: list[int], seconds: float = 0.05) -> Trace:
    places = np.argwhere(inside)
    places = places[np.isin(places[:, 2], slices)].astype(np.float64)
    return Trace(places, np.full(len(places), seconds), ("",) * len(places))


def test_the_same_samples_are_read_from_every_way_to_write_them() -> None:
    voxels = [(3, 4, 1), (5, 6, 2)]
    mm = GRID.to_mm(voxels)
    written = [
        "time,x,y,slice\n0,3,4,1\n0.2,5,6,2\n",
        "# shape: 40 30 5\ntime, frame, y, x\n0, 1, 4, 3\n0.2, 2, 6, 5\n",
        "\ufefftime,i,j,k,label\n0,3,4,1,a\n0.2,5,6,2,\n",
        "time,x_mm,y_mm,z_mm\n" + "".join(f"{t},{x},{y},{z}\n" for t, (x, y, z) in zip((0, 0.2), mm, strict=True)),
        json.dumps([{"time": 0, "x": 3, "y": 4, "slice": 1}, {"time": 0.2, "x": 5, "y": 6, "slice": 2}]),
        json.dumps(
            {"shape": [40, 30, 5], "samples": [{"time": t, "i": i, "j": j, "k": k} for t, (i, j, k) in zip((0, 0.2), voxels, strict=True)]}
        ),
    ]
    for text in written:
        trace = read_trace(text, GRID)
        np.testing.assert_allclose(trace.voxels, voxels, atol=1e-9)
        np.testing.assert_allclose(trace.seconds, [0.2, 0.2])
    assert read_trace(written[2], GRID).labels == ("a", "")
    assert len(read_trace(written[2], GRID).about("A").voxels) == 1


def test_durations_of_fixations_count_and_long_gaps_do_not() -> None:
    assert read_trace("time,x,y,slice,duration\n0,1,1,0,0.3\n9,1,1,0,0.1\n", GRID).seconds.tolist() == [0.3, 0.1]
    assert read_trace("time,x,y,slice\n0,1,1,0\n9,1,1,0\n9.1,1,1,0\n", GRID).seconds[:2].tolist() == pytest.approx([0.5, 0.1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1 to 1000000 samples, got 0"),
        ("[]", "got 0"),
        ("time,x,y,slice\n", "got 0"),
        ("time,x,y,slice\n0,40,4,1\n", r"40×30×5 voxels, sample 1 is at \(40, 4, 1\), and so are 0 more"),
        ("time,x,y,slice\n0,3,4,5\n", r"sample 1 is at \(3, 4, 5\)"),
        ("time,x,y,slice\n0.3,3,4,1\n0.2,3,4,1\n", "never run backwards, sample 2 is at 0.2 s after 0.3 s"),
        ("# shape: 40 30 9\ntime,x,y,slice\n0,3,4,1\n", "40×30×9, the case has 40×30×5"),
        ("time,x,y\n0,3,4\n", "need one column slice or frame in an image of 5 slices, got 0"),
        ("time,x,y,slice,frame\n0,3,4,1,1\n", "got 2"),
        ("time,x\n0,3\n", "x and y, or i, j and k"),
        ("time,x,y,slice,i,j,k\n0,3,4,1,1,1,1\n", "got several"),
        ("time,x,y,slice,pupil\n0,3,4,1,2\n", "got also 'pupil'"),
        ("time,x,y,slice\n0,three,4,1\n", "sample 1 has 'three'"),
        ("time,x,y,slice\nnan,3,4,1\n", "sample 1 has 'nan'"),
        ("x,y,slice\n3,4,1\n", "a number as time"),
        ("time,x,y,slice,duration\n0,3,4,1,-1\n", "0 or more, sample 1 has -1"),
        ("{", "damaged JSON"),
        ('{"samples": 3}', "a list of samples"),
        ('{"shape": [1, 2], "samples": []}', "three whole numbers"),
    ],
)
def test_bad_traces_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises((FormatError, InputError), match=message) as found:
        read_trace(text, GRID)
    assert "\n" not in str(found.value)


@given(st.text(max_size=60))
def test_any_text_is_a_trace_or_refused(text: str) -> None:
    with suppress(FormatError, InputError):
        assert len(read_trace(text, GRID).seconds) > 0


def test_a_disc_that_was_looked_over_is_proposed_on_the_slices_looked_at_and_no_other() -> None:
    image, inside = disc_image()
    found = dwell(image, looked_at(inside, [1, 3]))
    assert found.slices == (1, 3)
    assert not found.inside[..., [0, 2, 4]].any()
    for k in (1, 3):
        assert dice(found.mask(1)[..., k], inside[..., k].astype(np.uint8), [1])[1] > 0.85
    assert 0.5 < found.expected_dice <= 1


def test_an_edge_of_the_image_holds_the_mask_back() -> None:
    image, inside = disc_image(radius=6)
    centre = Trace(np.array([[20.0, 15.0, 2.0]]), np.array([1.0]), ("",))
    wide = dwell(image, centre, spread_share=0.1).inside
    assert (wide & ~inside).sum() < 0.1 * wide.sum()
    flat = dwell(Image(np.zeros_like(image.array), image.grid), centre, spread_share=0.1).inside
    assert flat.sum() > wide.sum()


def test_prompts_are_the_core_slice_by_slice() -> None:
    image, inside = disc_image()
    found = dwell(image, looked_at(inside, [1, 3]))
    strokes = found.prompts(2)
    assert [stroke.label for stroke in strokes] == [2, 2]
    assert all(found.core[voxel] for stroke in strokes for voxel in stroke.voxels)
    assert {voxel[2] for stroke in strokes for voxel in stroke.voxels} == {1, 3}


def test_what_was_passed_by_is_no_place_and_options_have_ranges() -> None:
    image, _ = disc_image()
    with pytest.raises(InputError, match=r"for 0\.1 s or more, got at most 0\.01 s"):
        dwell(image, Trace(np.array([[20.0, 15.0, 2.0]]), np.array([0.01]), ("",)))
    one = Trace(np.array([[20.0, 15.0, 2.0]]), np.array([1.0]), ("",))
    with pytest.raises(InputError, match=r"above 0 up to 0\.5, got 0"):
        dwell(image, one, spread_share=0)
    with pytest.raises(CancelledError):
        dwell(image, one, wanted=lambda: False)
