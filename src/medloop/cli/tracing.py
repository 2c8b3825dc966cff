"""The command that turns a trace into a mask or into prompts."""

import json
from pathlib import Path
from typing import Annotated

import typer

from medloop.cli.annotations import case_named
from medloop.cli.options import AsJson, ProjectFolder, argument, open_project, option
from medloop.cli.printing import say, tell
from medloop.core.errors import InputError, LabelError, SettingError


def trace(
    folder: ProjectFolder,
    case: Annotated[str, argument(metavar="CASE", help="The case's name or id.")],
    file: Annotated[Path, argument(metavar="FILE", help="The trace, CSV or JSON.")],
    out: Annotated[Path, option(metavar="OUT", help="Where to write: a mask as .nii.gz, prompts as .json.")],
    label: Annotated[str | None, option(metavar="NAME", help="The label that was looked at; the first by default.")] = None,
    spread: Annotated[float, typer.Option(min=0.001, max=0.5, help="How far one looks around a sample; share of the longer side.")] = 0.02,
    as_json: AsJson = False,
) -> None:
    """Turn a trace of a pointer or of gaze on a case into a mask, or into prompts; the project stays as it is."""
    from medloop.core.image import Mask
    from medloop.images.nifti import write_mask
    from medloop.interaction.prompts import prompt_to_json
    from medloop.loop.annotating.tracing import dwell_of

    is_mask = out.name.endswith((".nii", ".nii.gz"))
    if out.is_dir() or not (is_mask or out.suffix == ".json"):
        raise SettingError(f"OUT must be a file .nii.gz for a mask or .json for prompts, got {out}", remedy="name such a file")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file.name}: a trace is text in UTF-8, got other bytes", remedy="save it as CSV or JSON in UTF-8") from error
    with open_project(folder) as workspace:
        found, values = case_named(workspace, case), {one.name.casefold(): one.value for one in workspace.task.labels}
        value = workspace.task.labels[0].value if label is None else values.get(label.casefold())
        if value is None:
            raise LabelError(f"There is no label {label!r}", remedy=f"use one of {', '.join(one.name for one in workspace.task.labels)}")
        made, samples = dwell_of(workspace, found, text, value, spread_share=spread)
        if is_mask:
            write_mask(out, Mask(made.mask(value), found.grid), found.source)
        else:
            out.write_text(json.dumps([prompt_to_json(prompt) for prompt in made.prompts(value)]) + "\n", encoding="utf-8")
    figures = {
        "samples": samples,
        "seconds": round(made.seconds, 3),
        "slices": made.slices,
        "voxels": int(made.inside.sum()),
        "expected_dice": round(made.expected_dice, 3),
    }

    def as_text() -> None:
        say(
            f"Wrote {out}: {figures['voxels']} voxels on {len(made.slices)} slice(s) from {samples} samples of {made.seconds:.1f} s; "
            f"expected Dice {made.expected_dice:.2f}, of a heuristic"
        )

    tell(figures, as_text, as_json=as_json)
