"""The command that lays out the pool as a map."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, one_of, open_project, option
from medloop.cli.printing import say, tell
from medloop.core.errors import SettingError

if TYPE_CHECKING:
    from medloop.loop.overview.map_points import ShownMap


def map_(
    folder: ProjectFolder,
    out: Annotated[Path | None, option(metavar="FILE.csv", help="Write every point as a table.")] = None,
    described: Annotated[
        str, option("--described", metavar="auto|model|images", help="By the model in use, from the images, or what there is.")
    ] = "auto",
    layout: Annotated[
        str, option("--layout", metavar="pca|tsne", help="The plane of greatest variance, or t-SNE of 5,000 cases at most.")
    ] = "pca",
    by: Annotated[str, option("--by", metavar="COLUMN", help="Column of the source's table that groups the points, such as site.")] = "",
    as_json: AsJson = False,
) -> None:
    """Lay out the pool as a map, on which cases that look alike lie together.

    Every case is a point; the page shows the map that was made last. It says how much of the variance the two axes explain.
    """
    from medloop.cli.progress import Bar
    from medloop.datasets.staging import csv_text
    from medloop.images.files import write_atomic
    from medloop.loop.overview.map_points import map_of, map_table, map_words
    from medloop.loop.overview.pool_map import DESCRIBED, LAYOUTS

    how, flat = one_of("--described", described, DESCRIBED), one_of("--layout", layout, LAYOUTS)
    if out is not None and (out.is_dir() or not out.resolve().parent.is_dir()):
        raise SettingError(f"--out must be a file in a folder that exists, got {out}", remedy="name a file such as map.csv")
    with open_project(folder) as workspace, Bar("Mapping") as bar:
        shown = map_of(workspace, described=how, layout=flat, by=by, report=bar.move)
    if out is not None:
        write_atomic(out, csv_text(*map_table(shown)).encode())
        say(f"Wrote {out}")
    tell(_document(shown), lambda: typer.echo("\n".join(map_words(shown))), as_json=as_json)


def _document(shown: "ShownMap") -> dict[str, object]:
    return {"map": shown.made, "outdated": shown.outdated, "points": shown.points}
