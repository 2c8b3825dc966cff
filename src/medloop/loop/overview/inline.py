"""A project, its learning curve and its cases as a notebook shows them."""

from collections.abc import Sequence
from typing import get_args

from markupsafe import Markup

from medloop.core.arrays import MaskArray
from medloop.core.errors import InputError
from medloop.core.geometry import PlaneName
from medloop.core.image import Mask
from medloop.core.names import counted
from medloop.core.records import Annotation, Case, Prediction
from medloop.images.encode import decode_mask
from medloop.loop.foundation.arrays import load_annotation, load_proposal, shown_channels
from medloop.loop.foundation.in_force import newest_proposal, standing_annotation
from medloop.loop.foundation.workspace import Workspace
from medloop.loop.overview.next_steps import next_steps, verdict
from medloop.loop.overview.progress import progress
from medloop.loop.overview.report import curve_figure, model_table
from medloop.loop.overview.report_pictures import outline_key
from medloop.loop.overview.status import ProjectStatus, status
from medloop.report.inline import Inline
from medloop.report.markup import element, joined, note
from medloop.report.page import advice, steps
from medloop.report.pictures import Shape, Shot, heat, picture
from medloop.report.thumbnails import WHOLE, middle_slice


def project_inline(workspace: Workspace) -> Inline:
    """Where a project stands: cases, model, what to do next."""
    state, made = status(workspace), progress(workspace)
    words = _words(state)
    body = (
        element("h2", state.name),
        *(element("p", line) for line in words),
        advice(verdict(made.stopping), steps(next_steps(workspace, made, None))),
    )
    return Inline(joined(body), f"Project {state.name!r}: {'; '.join(words)}")


def progress_inline(workspace: Workspace) -> Inline:
    """The learning curve with its intervals, and the models."""
    made = progress(workspace)
    lines = [f"model {p.model_index}, {p.split}: {p.metric} {p.mean:.3f} after {p.labelled_cases} cases" for p in made.curve]
    body = joined((element("h2", "Learning curve"), curve_figure(made), element("h2", "Models"), model_table(made.models)))
    return Inline(body, "\n".join(lines) or "No model has been evaluated yet.")


def case_inline(workspace: Workspace, case: Case, *, plane: PlaneName | None = None, index: int | None = None) -> Inline:
    """A slice of a case: image, annotation (solid) and proposal (dashed), uncertainty beside it.

    Args:
        workspace: The open project.
        case: Which.
        plane: How it is cut; None for the plane with the thickest slices.
        index: Slice, from 0; None for the middle one of those that hold a label.

    Raises:
        InputError: A plane that the case does not have, or a slice outside it.
        BlobError: Bytes of the image, annotation or proposal that are damaged or gone.
    """
    with workspace.store.read() as tx:
        annotation, prediction = standing_annotation(tx, case.id), newest_proposal(tx, case.id)
    truth = load_annotation(workspace.store.blobs, annotation, case) if annotation else None
    masks: list[tuple[str, MaskArray]] = [("truth", truth.array)] if isinstance(truth, Mask) else []
    if prediction is not None and prediction.mask is not None:
        masks.append(("predicted", load_proposal(workspace.store.blobs, prediction, case)))
    shot = _shot(case, masks, plane, index)
    words = (_facts(case), *_stated(workspace, annotation, prediction))
    figures = [_drawn(workspace, case, shot, masks), *_uncertainty(workspace, case, shot, prediction)]
    body = joined((element("h2", case.name), element("div", *figures, class_="figures"), *(note(line) for line in words)))
    return Inline(joined((body, outline_key(workspace.task.labels))) if masks else body, f"Case {case.name!r}: {'; '.join(words)}")


def _words(state: ProjectStatus) -> list[str]:
    c = state.counts
    cases = f"{counted(c.total, 'case')}: {c.annotated} annotated, {c.skipped} skipped, {c.flagged} flagged"
    model = f"model {state.model.index} in use" if state.model else "no model yet"
    jobs = [f"{counted(len(state.jobs), 'job')} at work or waiting"] if state.jobs else []
    return [f"{state.kind} of {', '.join(state.labels)}; strategy {state.strategy}", cases, model, *jobs]


def _shot(case: Case, masks: Sequence[tuple[str, MaskArray]], plane: PlaneName | None, index: int | None) -> Shot:
    """Where the case is cut."""
    planes = {one.name: one for one in case.grid.planes()}
    if plane is not None and plane not in planes:
        wrong = f"Case {case.name} has no plane {plane!r}" if plane in get_args(PlaneName) else f"There is no plane {plane!r}"
        raise InputError(f"{wrong}; it has {', '.join(sorted(planes))}")
    chosen = middle_slice(case.grid, masks[0][1] if masks else None)
    if plane is not None and planes[plane].slice_axis != chosen.plane.slice_axis:
        chosen = Shot(planes[plane], case.grid.shape[planes[plane].slice_axis] // 2, WHOLE)
    if index is None:
        return chosen
    slices = case.grid.shape[chosen.plane.slice_axis]
    if not 0 <= index < slices:
        raise InputError(f"Case {case.name} has {chosen.plane.name} slices 0..{slices - 1}, got {index}")
    return Shot(chosen.plane, index, WHOLE)


def _facts(case: Case) -> str:
    size = " × ".join(str(n) for n in (case.grid.shape[:2] if case.grid.is_2d else case.grid.shape))
    return f"patient {case.patient}, {case.split}, {size}, {counted(case.channels, 'channel')}"


def _stated(workspace: Workspace, annotation: Annotation | None, prediction: Prediction | None) -> list[str]:
    """What is annotated and predicted, in words."""
    names = {label.value: label.name for label in workspace.task.labels}
    words = ["not annotated"] if annotation is None else [f"annotated: {names[annotation.tag]}"] if annotation.tag is not None else []
    if prediction is not None and prediction.mask is None:
        likeliest = max(range(len(prediction.probabilities)), key=lambda n: prediction.probabilities[n])
        words.append(f"predicted: {names[likeliest]} with {prediction.probabilities[likeliest]:.2f}")
    elif prediction is not None and prediction.quality is not None:
        words.append(f"expected Dice of the proposal {prediction.quality:.2f}")
    return words if prediction is not None else [*words, "no proposal yet"]


def _drawn(workspace: Workspace, case: Case, shot: Shot, masks: Sequence[tuple[str, MaskArray]]) -> Markup:
    channels, windows = shown_channels(workspace.store.blobs, case)
    labels = workspace.task.labels
    shown = picture(channels, windows, shot, masks, Shape.each(labels, labels), label=case.name)
    slices = case.grid.shape[shot.plane.slice_axis]
    return element("figure", shown, element("figcaption", "" if case.grid.is_2d else f"{shot.plane.name} slice {shot.index} of {slices}"))


def _uncertainty(workspace: Workspace, case: Case, shot: Shot, prediction: Prediction | None) -> list[Markup]:
    if prediction is None or prediction.uncertainty is None:
        return []
    map_ = decode_mask(workspace.store.blobs.get(prediction.uncertainty), case.grid.shape)
    shown = picture(heat(map_), ((0.0, 255.0),) * 3, shot, [], [], label=f"Uncertainty of {case.name}")
    return [element("figure", shown, element("figcaption", "uncertainty: black is sure, white is undecided"))]
