"""Commands for a project that several hosts share: join one, and move its blobs to where all of them reach them."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from medloop.cli.options import AsJson, ProjectFolder, argument
from medloop.cli.printing import say, tell
from medloop.core.errors import IntegrityError
from medloop.core.names import counted


def join(
    folder: Annotated[Path, argument(metavar="DIR", help="A new folder of this host.")],
    database: Annotated[str, typer.Option(metavar="URL", help="PostgreSQL URL of the project.")],
    cache_gb: Annotated[float, typer.Option(help="Gigabytes of images, masks and weights of which a copy is kept here.")] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Work from this host on a project of other hosts.

    Its rows are in PostgreSQL, its blobs under a URL that stands in the database; credentials for that come from this host's environment.
    """
    from medloop.store.joining import join as join_project

    done = join_project(folder, database, cache_gb=cache_gb)
    for line in done.lacking:
        say(f"this host lacks {line}")
    tell(
        done,
        lambda: say(f"Joined {done.name}, blobs at {done.blobs}. Next: medloop serve {folder}, or medloop worker {folder}"),
        as_json=as_json,
    )


def move_blobs(
    folder: ProjectFolder,
    url: Annotated[str, argument(metavar="URL|folder", help="s3://bucket/prefix, another URL of fsspec, or folder for the project's own.")],
    clear: Annotated[bool, typer.Option("--clear", help="Remove them from this place, which was left before; no move.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move a project's images, masks and weights to another place: copy, compare, switch.

    A move that was cut short goes on. Start servers and workers again afterwards; the old place stays until it is cleared.
    """
    from medloop.cli.progress import Bar
    from medloop.loop.foundation.workspace import open_store
    from medloop.store.moving import clear_place
    from medloop.store.moving import move_blobs as move

    with closing(open_store(folder)) as store, Bar("Comparing" if clear else "Copying") as bar:
        if clear:
            count = clear_place(store, url, report=bar.move)
            tell({"removed": count, "place": url}, lambda: say(f"{counted(count, 'blob')} removed from {url}"), as_json=as_json)
            return
        done = move(store, url, actor="cli", report=bar.move)
    for line in done.missing:
        say(f"not moved: blob {line}")
    told = f"{counted(done.blobs, 'blob')} at {done.now}, before at {done.before}. Start servers and workers of this project again"
    tell(done, lambda: say(told), as_json=as_json)
    if done.missing:
        lost = counted(len(done.missing), "blob")
        raise IntegrityError(f"damaged or missing before the move, and so not moved: {lost}", remedy="see medloop doctor")
