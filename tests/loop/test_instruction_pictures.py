"""Instructions show pictures: what is kept of them is their pixels, and every version of the task keeps its own."""

import io

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest

from medloop.core.errors import FormatError, NotFoundError, SettingError
from medloop.loop.foundation import redrawn_pictures
from medloop.loop.foundation.configuring import TaskChange, configure
from medloop.loop.foundation.instruction_pictures import MAX_PICTURES, read_picture
from medloop.loop.foundation.redrawn_pictures import MAX_SIDE
from medloop.loop.foundation.workspace import Workspace
from medloop.store.audit import verify
from medloop.store.references import references


def picture(width: int = 4, height: int = 3, kind: str = "PNG") -> bytes:
    made = io.BytesIO()
    notes = PIL.PngImagePlugin.PngInfo()
    notes.add_text("Patient", "Jane Doe")
    PIL.Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(made, kind, **({"pnginfo": notes} if kind == "PNG" else {}))
    return made.getvalue()


def test_pictures_join_those_before_and_make_the_next_version(pool: Workspace) -> None:
    configure(pool, task=TaskChange(instructions="See ![edge](picture-1)", pictures=[picture()]))
    (changed,) = configure(pool, task=TaskChange(pictures=[picture(8, 6, "JPEG")]))
    assert (changed.what, changed.before, changed.after) == ("pictures of the instructions", "1", "2")
    task = pool.reload().task
    assert (task.version, task.instructions) == (3, "See ![edge](picture-1)")
    sizes = [PIL.Image.open(io.BytesIO(read_picture(pool.store, task, n))).size for n in (1, 2)]
    assert sizes == [(4, 3), (8, 6)]
    with pool.store.read() as tx:
        assert set(task.pictures) <= {one.blob for one in references(tx.connection) if one.noun == "task"}
    assert verify(pool.store).ok


def test_nothing_of_the_file_but_its_pixels_is_kept_and_large_ones_are_made_smaller(pool: Workspace) -> None:
    configure(pool, task=TaskChange(pictures=[picture(2 * MAX_SIDE, 10)]))
    kept = read_picture(pool.store, pool.reload().task, 1)
    shown = PIL.Image.open(io.BytesIO(kept))
    assert (shown.size[0], shown.info) == (MAX_SIDE, {})
    assert b"Jane" not in kept


@pytest.mark.parametrize("data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + b"\0" * 40, picture()[:40]])
def test_what_is_no_picture_changes_nothing(pool: Workspace, data: bytes) -> None:
    with pytest.raises(FormatError, match="PNG or JPEG"):
        configure(pool, task=TaskChange(instructions="new", pictures=[data]))
    assert pool.reload().task == pool.task


def test_pictures_are_bounded_in_pixels_and_number(pool: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="12 pictures, got 13"):
        configure(pool, task=TaskChange(pictures=[picture()] * (MAX_PICTURES + 1)))
    monkeypatch.setattr(redrawn_pictures, "MAX_PIXELS", 11)
    with pytest.raises(FormatError, match="4 × 3"):
        configure(pool, task=TaskChange(pictures=[picture()]))


def test_a_picture_that_is_not_there_is_not_found(pool: Workspace) -> None:
    with pytest.raises(NotFoundError, match="0 pictures"):
        read_picture(pool.store, pool.task, 1)
