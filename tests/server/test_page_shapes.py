"""The page reads the server's shapes as the server declares them; no Node is needed to check."""

import runpy
from pathlib import Path

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"


def test_the_page_knows_the_shapes_of_the_interface() -> None:
    printed = runpy.run_path(str(FRONTEND / "shapes.py"))["print_shapes"]()
    kept = (FRONTEND / "src" / "api" / "shapes.ts").read_text(encoding="utf-8")
    assert kept == printed, "run `npm run shapes && npm run build` in frontend/ and commit what changed"
