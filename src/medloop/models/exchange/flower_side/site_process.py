"""Takes the place of `flwr-clientapp` at a site: what a coordinator sends runs only if it is, byte for byte, the app of this medloop.

Flower lets a coordinator send the program that its sites run. A site that cannot share images does not let it: the Flower App Bundle is
compared with the files beside this one, and refused, unread, where any of them differs.
"""

import hashlib
import io
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

PACKAGE = "medloop_flower"


def require_own(content: bytes, folder: Path) -> None:
    """Refuse a bundle that holds another program than this folder.

    Raises:
        ValueError: It does.
    """
    own = {f"{PACKAGE}/{file.name}": _digest(file.read_bytes()) for file in folder.glob("*.py")}
    with zipfile.ZipFile(io.BytesIO(content)) as bundle:
        given = {name: _digest(bundle.read(name)) for name in bundle.namelist() if not name.startswith(".info/")}
        said = tomllib.loads(bundle.read("pyproject.toml").decode()) if given.pop("pyproject.toml", "") else {}
    if given != own or said != tomllib.loads((folder / "app.toml").read_text()):
        raise ValueError("the coordinator's program is not that of this medloop: install the same version on both sides")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def main() -> None:
    """Flower's own process, which asks here before it installs a bundle."""
    from flwr.supernode.cli import flwr_clientapp
    from flwr.supernode.runtime import run_clientapp

    install = run_clientapp.install_from_fab

    def checked(fab: Any, *args: Any, **more: Any) -> Any:
        require_own(fab.read_bytes() if isinstance(fab, Path) else bytes(fab), Path(__file__).parent)
        return install(fab, *args, **more)

    run_clientapp.install_from_fab = checked
    flwr_clientapp()


if __name__ == "__main__":
    sys.path.pop(0)
    main()
