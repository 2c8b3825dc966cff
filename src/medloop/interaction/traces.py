"""Traces of a pointer or of gaze: where somebody looked or pointed on an image, for how long, read from CSV or JSON.

A CSV has a header; a JSON is a list of objects, or an object whose `samples` are that list. Columns, in any order:

    time                    seconds; they never run backwards
    x, y                    pixels of a slice: column and row as the file stores them, whole numbers at pixel centres, from 0
    slice or frame          which slice along the last axis, from 0; left out for an image of one slice
    i, j, k                 voxels, in place of x, y and slice
    x_mm, y_mm, z_mm        the patient's millimetres (RAS+), in place of either
    duration                seconds of a fixation; without it a sample lasts until the next one, at most `LONGEST_SECONDS`
    label                   the name of the label that was meant

`# shape: I J K` in a line of its own before the header, or `"shape": [I, J, K]`, says which image the trace is of.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medloop.core.arrays import FloatArray
from medloop.core.errors import FormatError, InputError
from medloop.core.geometry import Grid

MAX_SAMPLES = 1_000_000
LONGEST_SECONDS = 0.5
"""A gap between samples that is longer is one in which nothing was recorded."""

_SYSTEMS: tuple[tuple[str, ...], ...] = (("i", "j", "k"), ("x_mm", "y_mm", "z_mm"), ("x", "y"))
_KNOWN = {"time", "duration", "label", "slice", "frame", *(name for system in _SYSTEMS for name in system)}


@dataclass(frozen=True, eq=False)
class Trace:
    """Samples in the order of time.

    Attributes:
        voxels: Where, shape (n, 3): voxel coordinates, whole numbers at voxel centres.
        seconds: How long each lasted, shape (n,).
        labels: The name of the label that each names, "" for none.
    """

    voxels: FloatArray
    seconds: FloatArray
    labels: tuple[str, ...]

    def about(self, label: str) -> "Trace":
        """The samples that name a label, whatever the letter case."""
        chosen = [n for n, name in enumerate(self.labels) if name.casefold() == label.casefold()]
        return Trace(self.voxels[chosen], self.seconds[chosen], tuple(self.labels[n] for n in chosen))


def read_trace(text: str, grid: Grid) -> Trace:
    """A trace of the image on a grid.

    Raises:
        FormatError: Neither CSV nor JSON as described above, columns that lack, or values that are no numbers.
        InputError: No sample, too many, one outside the image, times that run backwards, or a trace of another image.
    """
    rows, shape = _from_json(text) if text.lstrip()[:1] in ("[", "{") else _from_csv(text)
    if shape is not None and tuple(shape) != grid.shape:
        raise InputError(
            f"A trace is of the image that it names, {_x(shape)}, the case has {_x(grid.shape)}", remedy="choose the other case"
        )
    if not 0 < len(rows) <= MAX_SAMPLES:
        raise InputError(f"A trace has 1 to {MAX_SAMPLES} samples, got {len(rows)}", remedy="check the file")
    columns = {name for row in rows for name in row}
    if unknown := sorted(columns - _KNOWN):
        raise FormatError(f"A trace has the columns {', '.join(sorted(_KNOWN))}, got also {unknown[0]!r}", remedy="rename or remove it")
    times = _column(rows, "time")
    back = np.flatnonzero(np.diff(times) < 0)
    if len(back):
        n = int(back[0])
        raise InputError(
            f"Times of a trace never run backwards, sample {n + 2} is at {times[n + 1]:g} s after {times[n]:g} s", remedy="sort the samples"
        )
    voxels = _voxels(rows, columns, grid)
    off = np.flatnonzero(((voxels < -0.5) | (voxels > np.array(grid.shape) - 0.5)).any(axis=1))
    if len(off):
        n = int(off[0])
        place = ", ".join(f"{value:g}" for value in voxels[n])
        rule = f"Samples lie within the image's {_x(grid.shape)} voxels, sample {n + 1} is at ({place}), and so are {len(off) - 1} more"
        raise InputError(rule, remedy="leave out what is beside the image, or check the unit of the columns")
    return Trace(voxels, _durations(rows, columns, times), tuple(str(row.get("label", "") or "").strip() for row in rows))


Rows = Sequence[Mapping[str, Any]]


def _from_csv(text: str) -> tuple[Rows, list[int] | None]:
    lines = text.removeprefix("\ufeff").splitlines()
    shape = None
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("#")):
        name, _, value = lines.pop(0).lstrip("# ").partition(":")
        if name.strip() == "shape":
            shape = _shape(value.split())
    reader = csv.DictReader(io.StringIO("\n".join(lines)), skipinitialspace=True)
    try:
        rows = [{name.strip(): value for name, value in row.items() if name and name.strip()} for row in reader]
    except csv.Error as error:
        raise FormatError(f"A trace is CSV or JSON, got neither ({error})", remedy="write it as described in docs/formats.md") from error
    return rows, shape


def _from_json(text: str) -> tuple[Rows, list[int] | None]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"A trace is CSV or JSON, got damaged JSON ({error})", remedy="write it as described in docs/formats.md"
        ) from error
    shape, samples = (content.get("shape"), content.get("samples")) if isinstance(content, dict) else (None, content)
    if not isinstance(samples, list) or not all(isinstance(row, dict) for row in samples):
        raise FormatError("A trace in JSON is a list of samples, or has one as samples, got neither", remedy="write a list of objects")
    return samples, None if shape is None else _shape(shape)


def _shape(values: Any) -> list[int]:
    try:
        shape = [int(value) for value in values]
    except (TypeError, ValueError):
        shape = []
    if len(shape) != 3:
        raise FormatError(f"The shape of a trace is three whole numbers, got {values!r}", remedy="for example # shape: 256 256 40")
    return shape


def _column(rows: Rows, name: str) -> FloatArray:
    """Numbers of a column, of every sample."""
    values = np.empty(len(rows))
    for n, row in enumerate(rows):
        value = row.get(name)
        try:
            values[n] = float(value)  # type: ignore[arg-type]  # what is no number is refused below
        except (TypeError, ValueError):
            values[n] = math.nan
        if not math.isfinite(values[n]):
            raise FormatError(f"Every sample of a trace has a number as {name}, sample {n + 1} has {value!r}", remedy="complete the column")
    return values


def _voxels(rows: Rows, columns: set[str], grid: Grid) -> FloatArray:
    found = [system for system in _SYSTEMS if set(system) <= columns]
    if len(found) != 1:
        got = "several" if found else ", ".join(sorted(columns)) or "none"
        raise FormatError(f"A trace has x and y, or i, j and k, or x_mm, y_mm and z_mm, got {got}", remedy="keep one of the three")
    places = np.stack([_column(rows, name) for name in found[0]], axis=1)
    if found[0] == _SYSTEMS[1]:
        return grid.to_voxels(places)
    if found[0] == _SYSTEMS[0]:
        return places
    named = [name for name in ("slice", "frame") if name in columns]
    if len(named) > 1 or (not named and not grid.is_2d):
        raise FormatError(
            f"x and y need one column slice or frame in an image of {grid.shape[2]} slices, got {len(named)}", remedy="add it"
        )
    return np.column_stack([places, _column(rows, named[0]) if named else np.zeros(len(rows))])


def _durations(rows: Rows, columns: set[str], times: FloatArray) -> FloatArray:
    if "duration" in columns:
        seconds = _column(rows, "duration")
        if (seconds < 0).any():
            raise InputError(f"Durations of a trace are 0 or more, sample {int(np.argmin(seconds)) + 1} has {seconds.min():g}")
        return seconds
    gaps = np.minimum(np.diff(times), LONGEST_SECONDS)
    usual = float(np.median(gaps)) if len(gaps) else LONGEST_SECONDS
    return np.append(gaps, usual)


def _x(shape: Sequence[int]) -> str:
    return "×".join(str(n) for n in shape)
