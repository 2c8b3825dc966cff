"""No script of the benchmarks is left behind when what it measures moves: each at least loads and says what it does."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(p.name for p in FOLDER.glob("*.py") if 'if __name__ == "__main__"' in p.read_text())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_loads_and_explains_itself(name: str) -> None:
    done = subprocess.run([sys.executable, str(FOLDER / name), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("usage:")
