"""The report of a study: one HTML file that opens offline, in light and dark, without scripts.

Order of reading: what may be said, the curves, areas and labels needed, the pairwise tests, the set-up.
"""

from collections.abc import Mapping, Sequence
from html import escape

from medloop.core.records import Json, now
from medloop.metrics.intervals import MIN_RUNS, too_few
from medloop.simulation.curves import LEVEL
from medloop.simulation.report_tables import areas_table, differences_table, foreground_table, labels_table, penalty_table
from medloop.simulation.results import StudyResult
from medloop.simulation.style import style_sheet
from medloop.simulation.summary import Summary
from medloop.simulation.svg import curves_svg


def study_html(result: StudyResult) -> str:
    """The report as one HTML document."""
    name = result.design.dataset.rstrip("/").rsplit("/", 1)[-1]
    return page(f"Strategies compared on {escape(name)}", study_sections(result))


def page(title: str, body: Sequence[str]) -> str:
    """A whole document: nothing in it is loaded from anywhere.

    Args:
        title: HTML already.
        body: Its parts, HTML already.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{style_sheet()}</style>"
    )
    intro = f'<h1>{title}</h1><p class="soft">Simulated annotation by medloop, written {now()[:16]}Z.</p>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{intro}{"".join(body)}</body></html>\n'


def study_sections(result: StudyResult) -> list[str]:
    """Findings and set-up of one study, as parts of a page."""
    return [*_findings(result), "<h2>Set-up</h2>", _setup(result)]


def unfinished(missing: int) -> str:
    """A box that says how many rounds are missing; empty when none is."""
    if not missing:
        return ""
    left = "1 round is" if missing == 1 else f"{missing} rounds are"
    return (
        f'<div class="verdict open"><p><strong>Unfinished:</strong> {left} missing; only complete runs are shown. '
        "Run the same command again to finish.</p></div>"
    )


def verdict_box(verdict: str) -> str:
    """What may be said, set apart."""
    return f'<div class="verdict"><p>{escape(verdict)}</p></div>'


def _findings(result: StudyResult) -> list[str]:
    summary = result.summary
    if summary is None:
        return [unfinished(len(result.missing)), "<p>No run is complete yet.</p>"]
    return [
        unfinished(len(result.missing)),
        verdict_box(summary.verdict),
        _baselines(result),
        _unequal(result),
        "<h2>Learning curves</h2>",
        f"<figure>{curves_svg(summary.strategies, summary.full, metric=result.setup.metric)}",
        f"<figcaption>{_caption(result)}</figcaption></figure>",
        "<h2>Area under the curve, and final score</h2>",
        areas_table(summary),
        "<h2>Labels needed</h2>",
        labels_table(summary),
        foreground_table(summary),
        "<h2>Differences between strategies</h2>",
        differences_table(summary),
        _penalties(summary),
    ]


def _baselines(result: StudyResult) -> str:
    if result.design.only:
        return '<p class="soft">Exactly the strategies asked for were run; baselines were not added (<code>only</code>).</p>'
    added = ", ".join(result.added)
    return f'<p class="soft">Added as baselines, since a lead over nothing says nothing: {escape(added)}.</p>' if added else ""


def _unequal(result: StudyResult) -> str:
    """A caution where trainings differed in more than their answers."""
    if len(result.recipes) < 2:
        return ""
    return (
        '<p class="soft"><strong>Caution:</strong> the trainings did not all have the same recipe, since recipes are planned from the '
        f"answered images; they differ in {escape(', '.join(_differing(result.recipes)))}. See the set-up.</p>"
    )


def _penalties(summary: Summary) -> str:
    found = penalty_table(summary.penalties)
    return f"<h3>Pairwise penalties, at {LEVEL:g}</h3>{found}" if found else ""


def _caption(result: StudyResult) -> str:
    seeds = len(result.summary.seeds) if result.summary else 0
    few = too_few(seeds, MIN_RUNS, "seeds") if seeds < MIN_RUNS else ""
    caption = f"Lines: mean over seeds. Bands: {few or f'95 % interval over {seeds} seeds'}."
    return caption + " All strategies of a seed share their first round. Dashed: a model that learned from every case of the pool."


def _setup(result: StudyResult) -> str:
    design, setup = result.design, result.setup
    held_out = f"{len(setup.patients)} held out ({setup.split} split, fixed for all runs)"
    validation = (
        f", {design.validation_fraction:.0%} of the patients to validate on, the same for all" if design.validation_fraction else ""
    )
    rows = [
        ("Data", design.dataset),
        ("Question", f"{setup.kind} of {', '.join(setup.labels)}"),
        (
            "Cases",
            f"{setup.pool} in the pool, {held_out}{validation}{f'; about {design.cases} drawn from the source' if design.cases else ''}",
        ),
        ("Left out", f"{len(setup.refused)} files" if setup.refused else "nothing"),
        ("Rounds", f"{design.start} cases first, chosen by {design.start_strategy}, then {design.rounds - 1} × {design.batch}"),
        ("Seeds", ", ".join(map(str, design.seeds))),
        ("Training", _training(result)),
        ("Recipe", _recipes(result.recipes)),
        ("Annotator", _annotator(result)),
        ("Time", f"{result.seconds / 60:.0f} minutes of one process in all"),
    ]
    return f"<dl>{''.join(f'<dt>{escape(k)}</dt><dd>{escape(v)}</dd>' for k, v in rows)}</dl>"


def _training(result: StudyResult) -> str:
    design = result.design
    budget = f"{design.steps} steps" if design.steps else f"{design.minutes:g} minutes"
    full = f"{design.full_steps or design.steps} steps" if design.steps or design.full_steps else budget
    begun = "continued from the newest model" if design.warm_start != "scratch" else "begun anew"
    return (
        f"the same budget for all strategies: {begun} each round, {budget}; full-data model {full}; "
        f"{design.samples} samples, {design.members} network(s)"
    )


def _annotator(result: StudyResult) -> str:
    design = result.design
    if not (design.outline_error_mm or design.tag_error):
        return "perfect answers"
    return f"outlines off by {design.outline_error_mm:g} mm, {design.tag_error:.0%} wrong tags"


def _recipes(recipes: Sequence[tuple[Json, int]]) -> str:
    """The recipe all trainings shared, or what differs: recipes are planned from the images that are answered."""
    if not recipes:
        return "not recorded"
    first, units = recipes[0]
    if len(recipes) == 1:
        return f"one for all {units} trainings: {_described(first)}"
    return (
        f"{len(recipes)} recipes, planned from the answered images alone, differ in {', '.join(_differing(recipes))}; "
        f"the most frequent ({units} trainings): {_described(first)}"
    )


def _differing(recipes: Sequence[tuple[Json, int]]) -> list[str]:
    """Fields in which recipes differ from the most used one."""
    first = recipes[0][0]
    return sorted({name for other, _ in recipes[1:] for name in first if first[name] != other.get(name)})


def _described(recipe: Mapping[str, object]) -> str:
    names = ("dimension", "patch", "spacing_mm", "features", "batch", "learning_rate", "dropout", "augmentation", "foreground", "precision")
    return ", ".join(f"{name} {_plain(recipe[name])}" for name in names if name in recipe)


def _plain(value: object) -> str:
    return "×".join(map(_plain, value)) if isinstance(value, (list, tuple)) else f"{value:g}" if isinstance(value, float) else str(value)
