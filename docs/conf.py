"""The documentation site: Sphinx reads the Markdown pages where they lie, so that links work on the site as they do in the repository.

`make docs` builds it strictly: a dead link, a dead anchor, a page in no menu or a name that cannot be imported fails the build. Nothing is
fetched while it is built or read.
"""

from pathlib import Path

from sphinx.application import Sphinx

from medloop import __version__

project = "medloop"
author = "The medloop developers"
copyright = f"{author}, Apache-2.0"  # noqa: A001 - the name that Sphinx asks for
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = ["docs/**", "benchmarks/**", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
exclude_patterns = [".*", "frontend", "src", "tests", "runs", "build"]

myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "description"
napoleon_use_rtype = False

html_theme = "furo"
html_title = "medloop"
html_show_sourcelink = False
html_copy_source = False


def _lead_in(app: Sphinx, failure: Exception | None) -> None:
    """The pages keep their folders, so the site's own root needs a page that leads to the first one."""
    if failure is None:
        Path(app.outdir, "index.html").write_text('<meta http-equiv="refresh" content="0; url=docs/index.html">\n')


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("build-finished", _lead_in)
