"""The report of a study: what to do, what may be said, the curves, areas and labels needed, the pairwise tests, the set-up."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from medloop.core.names import counted
from medloop.core.records import Json
from medloop.metrics.intervals import MIN_RUNS, too_few
from medloop.report.charts import Line, Point, curves
from medloop.report.markup import element, joined, note
from medloop.report.page import advice, facts, page, section
from medloop.simulation.curves import LEVEL
from medloop.simulation.noise import Noise
from medloop.simulation.report_tables import areas_table, differences_table, foreground_table, labels_table, minutes_table, penalty_table
from medloop.simulation.results import StudyResult
from medloop.simulation.summary import Summary
from medloop.simulation.verdict import strategy_advice

INTRO = "Simulated annotation by medloop"
MINUTES_MODEL = (
    "Minutes are those of a stated model of what an annotation takes (docs/weak-labels.md), not measured on people; each costs its rate."
)


def study_html(result: StudyResult, more: Sequence[Markup] = ()) -> str:
    """The report as one HTML document, with more findings before the set-up."""
    name = result.design.dataset.rstrip("/").rsplit("/", 1)[-1]
    return page(f"Strategies compared on {name}", INTRO, [*_findings(result), *more, section("Set-up", _setup(result))])


def study_sections(result: StudyResult) -> list[Markup]:
    """Findings and set-up of one study, as parts of a page."""
    return [*_findings(result), section("Set-up", _setup(result))]


def unfinished(missing: int) -> Markup | None:
    """A box that says how many rounds are missing; none when none is."""
    if not missing:
        return None
    words = (
        f"{counted(missing, 'round')} {'is' if missing == 1 else 'are'} missing; only complete runs are shown. "
        "Run the same command again to finish."
    )
    return advice("Unfinished", element("p", words), unsure=True)


def _findings(result: StudyResult) -> list[Markup]:
    summary = result.summary
    opening = [box] if (box := unfinished(len(result.missing))) else []
    if summary is None:
        return [*opening, element("p", "No run is complete yet.")]
    said = strategy_advice(summary.strategies, summary.comparisons)
    return [
        *opening,
        advice(said, element("p", summary.verdict)),
        _baselines(result),
        _unequal(result),
        section("Learning curves", element("figure", _curves(summary, result), element("figcaption", _caption(result)))),
        _over_minutes(summary, result),
        section("Area under the curve, and final score", areas_table(summary)),
        section("Labels needed", labels_table(summary), minutes_table(summary), foreground_table(summary)),
        section("Differences between strategies", differences_table(summary), _penalties(summary)),
    ]


def _curves(summary: Summary, result: StudyResult) -> Markup:
    lines = [Line(s.strategy, [Point(p.labelled, p.mean, p.low, p.high) for p in s.points]) for s in summary.strategies]
    return curves(
        lines,
        x_title="annotated cases",
        y_title=_y_title(result),
        bound=summary.full,
        bound_name="all cases annotated",
    )


def _over_minutes(summary: Summary, result: StudyResult) -> Markup:
    """The same curves over minutes of annotation; nothing for runs of older versions, which have none."""
    if not all(s.minutes for s in summary.strategies):
        return Markup("")
    lines = [Line(s.strategy, [Point(p.minutes, p.mean, p.low, p.high) for p in s.minutes]) for s in summary.strategies]
    drawn = curves(lines, x_title="minutes of annotation", y_title=_y_title(result), bound=summary.full, bound_name="all cases annotated")
    words = f"Mean score against mean minutes after each round. {MINUTES_MODEL}"
    return section("Score per minute of annotation", element("figure", drawn, element("figcaption", words)))


def _y_title(result: StudyResult) -> str:
    return f"held-out {'Dice' if result.setup.metric == 'dice' else result.setup.metric}"


def _baselines(result: StudyResult) -> Markup:
    if result.design.only:
        return note("Exactly the strategies requested were run; baselines were not added (", element("code", "only"), ").")
    added = ", ".join(result.added)
    return note(f"Added as baselines, since a lead over nothing says nothing: {added}." if added else "")


def _unequal(result: StudyResult) -> Markup:
    """A caution where trainings differed in more than their annotations."""
    if len(result.recipes) < 2:
        return Markup("")
    words = (
        " the trainings did not all have the same recipe, since recipes are planned from the "
        f"annotated images; they differ in {', '.join(_differing(result.recipes))}. See the set-up."
    )
    return note(element("strong", "Caution:"), words)


def _penalties(summary: Summary) -> Markup:
    found = penalty_table(summary.penalties)
    return joined((element("h3", f"Pairwise penalties, at {LEVEL:g}"), found)) if found else found


def _caption(result: StudyResult) -> str:
    seeds = len(result.summary.seeds) if result.summary else 0
    few = too_few(seeds, MIN_RUNS, "seeds") if seeds < MIN_RUNS else ""
    caption = f"Lines: mean over seeds. Bands: {few or f'95 % interval over {seeds} seeds'}."
    return caption + " All strategies of a seed share their first round. Dashed: a model that learned from every case of the pool."


def _setup(result: StudyResult) -> Markup:
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
    return facts(rows)


def _training(result: StudyResult) -> str:
    design = result.design
    budget = f"{design.steps} steps" if design.steps else f"{design.minutes:g} minutes"
    full = f"{design.full_steps or design.steps} steps" if design.steps or design.full_steps else budget
    begun = "continued from the newest model" if design.warm_start != "scratch" else "begun anew"
    begun += " from weights that learned from the pool's images" if design.pretraining == "pool" else ""
    return (
        f"the same budget for all strategies: {begun} each round, {budget}; full-data model {full}; "
        f"{counted(design.samples, 'sample')}, {counted(design.members, 'network')}"
    )


def _annotator(result: StudyResult) -> str:
    design = result.design
    always = f"outlines off by {design.outline_error_mm:g} mm, {design.tag_error:.0%} wrong tags"
    noise = Noise(design.noise, design.noise_share, design.noise_mm).words()
    wrong = "; ".join([always] * bool(design.outline_error_mm or design.tag_error) + [noise] * bool(noise)) or "perfect annotations"
    return wrong if design.given == "mask" else f"{design.given} in place of masks, by a stated model of what they take; {wrong}"


def _recipes(recipes: Sequence[tuple[Json, int]]) -> str:
    """The recipe all trainings shared, or what differs: recipes are planned from the images that are answered."""
    if not recipes:
        return "not recorded"
    first, units = recipes[0]
    if len(recipes) == 1:
        return f"one for all {units} trainings: {_described(first)}"
    return (
        f"{len(recipes)} recipes, planned from the annotated images alone, differ in {', '.join(_differing(recipes))}; "
        f"the most frequent ({units} trainings): {_described(first)}"
    )


def _differing(recipes: Sequence[tuple[Json, int]]) -> list[str]:
    """Fields in which recipes differ from the most used one."""
    first = recipes[0][0]
    return sorted({name for other, _ in recipes[1:] for name in first if first[name] != other.get(name)})


def _described(recipe: Mapping[str, object]) -> str:
    names = ("dimension", "patch", "spacing_mm", "features", "batch", "learning_rate", "dropout", "augmentation", "foreground", "precision")
    return ", ".join(f"{name} {_plain(recipe[name])}" for name in names if recipe.get(name) is not None)


def _plain(value: object) -> str:
    return "×".join(map(_plain, value)) if isinstance(value, (list, tuple)) else f"{value:g}" if isinstance(value, float) else str(value)
