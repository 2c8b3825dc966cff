"""Commands that make the model learn, look at the pool, and choose what to query."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.option_groups import with_option_group
from medloop.cli.options import AsJson, Background, ProjectFolder, WorkOptions, argument, open_project, option
from medloop.cli.planning import QueryOptions, print_plan
from medloop.cli.printing import print_json, print_table, say, tell
from medloop.core.errors import InputError, NotFoundError, SettingError
from medloop.core.names import counted

if TYPE_CHECKING:
    from medloop.core.records import Job, Json
    from medloop.loop.foundation.workspace import Workspace


@with_option_group("at", WorkOptions)
def train(
    folder: ProjectFolder,
    at: WorkOptions,
    again: Annotated[bool, typer.Option("--again", help="Make a model also when nothing is new since the last one.")] = False,
    learner: Annotated[
        str, option("--learner", metavar="builtin|nnunet", help="What learns, from now on: sets the project's setting.")
    ] = "",
    background: Background = False,
    as_json: AsJson = False,
) -> None:
    """Train on all annotations so far.

    Then the new model is judged on the evaluation patients; unless it is worse than the one in use, it sees the pool.
    Without a living worker the work is done here; Ctrl-C keeps the checkpoint, and the same command goes on from there.
    """
    from medloop.cli.jobs import have_done
    from medloop.loop.foundation.configuring import configure
    from medloop.loop.foundation.round_moves import start_training

    placement = at.placement
    with open_project(folder) as workspace:
        if learner:
            configure(workspace, settings={"learner": learner}, actor="cli")
        job = start_training(workspace, again=again, actor="cli")
        if background:
            _print_requested(job, as_json=as_json)
            return
        done = have_done(workspace, job, threads=at.threads, placement=placement)
        _print_model(workspace, done.result, as_json=as_json)


@with_option_group("at", WorkOptions)
def predict(
    places: Annotated[list[Path], argument(metavar="DIR", help="The project's folder; with --model the images to predict.")],
    at: WorkOptions,
    model: Annotated[
        Path | None,
        option("--model", metavar="FILE", help="A model: the folder or file of an export, TorchScript, ONNX, or a MONAI bundle."),
    ] = None,
    out: Annotated[Path | None, option("--out", metavar="OUT", help="With --model: a new or empty folder for the masks.")] = None,
    background: Background = False,
    as_json: AsJson = False,
) -> None:
    """Let the model in use see the pool, or an exported model some images.

    Every unlabelled case that it has not seen yet is predicted; those it has seen are left alone. With --model no project is needed:
    medloop predict --model FILE IMAGE… --out OUT writes a mask for each image, or a table of classes.
    """
    if model is None:
        if len(places) > 1 or out is not None:
            raise SettingError(
                "Images and --out belong to --model, got them without", remedy="medloop predict --model FILE IMAGE --out OUT"
            )
        _predict_pool(places[0], at, background=background, as_json=as_json)
        return
    if out is None or background or at != WorkOptions():
        raise SettingError(
            "--model needs --out, and none of --background, --threads, --processes and --ray",
            remedy="medloop predict --model FILE IMAGE --out OUT",
        )
    _predict_images(model, places, out, as_json=as_json)


def _predict_images(model: Path, images: list[Path], out: Path, *, as_json: bool) -> None:
    from medloop.cli.progress import Bar
    from medloop.loop.data.alone import predict_with_file

    with Bar("Predicting") as bar:
        done = predict_with_file(model, images, out, report=bar.update)
    for refusal in done.refused:
        say(f"left out: {refusal}")
    tell(done, lambda: typer.echo(f"{counted(len(done.files), 'image')} predicted in {done.folder}"), as_json=as_json)


def _predict_pool(folder: Path, at: WorkOptions, *, background: bool, as_json: bool) -> None:
    from medloop.cli.jobs import have_done
    from medloop.loop.foundation.follow_up import request_pool

    placement = at.placement
    with open_project(folder) as workspace:
        with workspace.store.read() as tx:
            model = tx.live_model()
        if model is None:
            raise NotFoundError(f"{folder} has no model yet", remedy=f"train one with: medloop train {folder}")
        job = request_pool(workspace, model, actor="cli")
        if background:
            _print_requested(job, as_json=as_json)
            return
        done = have_done(workspace, job, threads=at.threads, placement=placement)
        line = f"Model {model.index} has seen the pool: {done.result.get('predicted', 0)} cases"
        tell({"model": model.index, **done.result}, lambda: typer.echo(line), as_json=as_json)


@with_option_group("at", QueryOptions)
def query(
    folder: ProjectFolder,
    at: QueryOptions,
    strategy: Annotated[str | None, option(help="How to choose; the project's strategy by default.")] = None,
    count: Annotated[int | None, option(min=1, max=10_000, help="How many; the project's batch by default.")] = None,
    lacking: Annotated[
        str | None, option("--lacking", metavar="LABEL", help="Of annotated cases that lack this label, for it alone.")
    ] = None,
    among: Annotated[
        Path | None, option("--among", metavar="FILE", help="Only these cases, a name in each line: your choice, open at once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose the next cases, and say why.

    The choice becomes the next round: people get these cases once the open ones are annotated. With --among it is yours: all cases of
    the file, or --count of them by the strategy; such a round is open at once, and counts as no draw from the pool.
    """
    if at.plan or at.cases or at.features:
        if not at.plan or lacking or among:
            raise SettingError(
                "--cases and --features belong to --plan, which takes no --lacking and no --among", remedy="see query --help"
            )
        print_plan(folder, at, strategy and known_strategy(strategy), count, as_json=as_json)
        return
    if among is not None:
        _query_by_hand(folder, among, count, given=strategy or lacking, as_json=as_json)
        return
    from medloop.core.records import Case, Query
    from medloop.execution.placement import Placed
    from medloop.loop.querying.rounds import choosing, prepare_round
    from medloop.query.bandit import arms
    from medloop.query.pool import ON_DEMAND
    from medloop.query.strategies import needs_of

    with open_project(folder) as opened, Placed(at.placement) as executor:
        workspace = opened.placed(executor)
        chosen = known_strategy(strategy) if strategy else workspace.settings.strategy
        if needs_of(chosen) & ON_DEMAND:
            say(f"Working out what {chosen} needs from the images; the first time this takes a minute or so")
        prepared = prepare_round(choosing(workspace, strategy=chosen, count=count, lacking=lacking), thorough=True)
        if prepared is None or prepared.query_id is None:
            if (rule := workspace.settings.stream) != "off":
                raise SettingError(f"Nothing is queried from the pool while stream is {rule}", remedy="medloop configure DIR stream=off")
            raise NotFoundError("No case is left to query", remedy="import more cases")
        with workspace.store.read() as tx:
            made = tx.get(Query, prepared.query_id)
            names = {choice.case_id: tx.get(Case, choice.case_id).name for choice in made.choices}
    if prepared.message or (strategy and made.strategy not in arms(strategy)):
        say(prepared.message or f"{strategy} needs a model that has seen the pool; the first strategy, {made.strategy}, chose instead")
    rows = [(n, names[c.case_id], f"{c.score:.4g}", c.reason) for n, c in enumerate(made.choices, start=1)]
    if as_json:
        choices = [{"case": names[c.case_id], "case_id": c.case_id, "score": c.score, "reason": c.reason} for c in made.choices]
        print_json({"round": prepared.index, "strategy": made.strategy, "seed": made.seed, "model_id": made.model_id, "choices": choices})
    else:
        typer.echo(f"Round {prepared.index}, chosen by {made.strategy}")
        print_table(("", "case", "score", "reason"), rows)


def _query_by_hand(folder: Path, among: Path, count: int | None, *, given: str | None, as_json: bool) -> None:
    from medloop.core.records import Case
    from medloop.loop.querying.by_hand import cases_called, query_by_hand

    if given:
        raise SettingError(
            "--among goes with --count alone: the project's strategy puts the cases into order", remedy="leave the others out"
        )
    try:
        names = [line.strip() for line in among.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise InputError(f"{among.name}: names of cases are text in UTF-8, got other bytes", remedy="save the list in UTF-8") from error
    with open_project(folder) as workspace:
        made = query_by_hand(workspace, cases_called(workspace, names), count=count, actor="cli")
        with workspace.store.read() as tx:
            called = {one.case_id: tx.get(Case, one.case_id).name for one in made.query.choices}
    for name, why in made.left:
        say(f"not queried: {name}: {why}")
    choices = [{"case": called[c.case_id], "case_id": c.case_id, "score": c.score, "reason": c.reason} for c in made.query.choices]
    rows = [(n, c["case"], c["reason"]) for n, c in enumerate(choices, start=1)]

    def as_text() -> None:
        typer.echo(f"Round {made.round}, chosen by hand")
        print_table(("", "case", "reason"), rows)

    left = [{"case": name, "why": why} for name, why in made.left]
    tell({"round": made.round, "strategy": made.query.strategy, "choices": choices, "left": left}, as_text, as_json=as_json)


def strategies(
    as_json: AsJson = False, markdown: Annotated[bool, typer.Option("--markdown", help="As the table of the documentation.")] = False
) -> None:
    """List the ways to choose cases.

    For each: when to use it, what it needs and costs, and where it comes from.
    """
    from medloop.query.strategies import as_markdown
    from medloop.query.strategies import strategies as registered

    found = registered()
    if markdown:
        typer.echo(as_markdown(found))
        return
    if as_json:
        keys = ("name", "title", "paper", "needs", "cost", "advice")
        print_json([{key: getattr(one, key) for key in keys} for one in found])
        return
    for one in found:
        typer.echo(f"{one.name}: {one.title}")
        typer.echo(f"    {one.advice}")
        typer.echo(f"    needs {', '.join(sorted(one.needs)) or 'nothing'}; costs {one.cost}; {one.paper}")


def known_strategy(name: str) -> str:
    """The name, if a strategy has it.

    Raises:
        SettingError: None has.
    """
    from medloop.query.strategies import strategy as named

    try:
        return named(name).name
    except NotFoundError as error:
        raise SettingError(error.message, remedy=error.remedy) from error


def _print_requested(job: "Job", *, as_json: bool) -> None:
    document = {"job": job.id, "kind": job.kind, "state": str(job.state)}
    tell(document, lambda: typer.echo(f"Requested {job.kind}: job {job.id}; a worker takes it up"), as_json=as_json)


def _print_model(workspace: "Workspace", result: "Json", *, as_json: bool) -> None:
    """The model that was made, or the one that knows everything already; its scores, and whether it is in use."""
    from medloop.core.records import Model
    from medloop.loop.judging.evaluation_cases import shown_interval
    from medloop.loop.overview.model_history import list_models
    from medloop.metrics.intervals import interval_words

    index = int(result.get("model_index") or result.get("nothing_new") or 0)
    with workspace.store.read() as tx:
        points = [e for e in tx.current_evaluations() if tx.get(Model, e.model_id).index == index]
        intervals = [shown_interval(tx, e) for e in points]
    line = next((line for line in list_models(workspace) if line.index == index), None)
    if as_json:
        scores = [
            {"split": e.split, "metric": e.metric, "mean": e.mean, "low": i.low, "high": i.high, "note": i.note}
            for e, i in zip(points, intervals, strict=True)
        ]
        model = {"id": line.id, "index": index, "live": line.live, "note": line.note} if line else None
        print_json({"model": model, "evaluations": scores, "message": str(result.get("message", ""))})
        return
    if "nothing_new" in result:
        typer.echo(f"No new model: {result['message']} (--again makes one in any case)")
        return
    typer.echo(f"Model {index} is ready{f': {line.note}' if line and line.note else ''}")
    for point, shown in zip(points, intervals, strict=True):
        typer.echo(f"  {point.split} {point.metric} {point.mean:.3f} ({interval_words(shown)})")
