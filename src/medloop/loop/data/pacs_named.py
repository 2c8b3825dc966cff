"""The archive of a project by its name."""

from medloop.loop.foundation.workspace import Workspace
from medloop.pacs.archive import Archive
from medloop.pacs.connect import open_archive
from medloop.pacs.sites import read_sites, sites_file


def archive_named(workspace: Workspace, server: str = "") -> tuple[str, Archive]:
    """A server of the project's `pacs.toml`, with its name; the only one where none is named.

    Raises:
        NotFoundError: No such file or server.
        SettingError: Its host is not allowed, or the file says what it may not.
        UnavailableError: The clients are not installed.
    """
    site = read_sites(sites_file(workspace.folder)).site(server)
    return site.name, open_archive(site)
