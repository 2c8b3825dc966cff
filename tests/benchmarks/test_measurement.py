"""The benchmark of measures runs on any pictures of the layout, and takes off what masks and reference differ by."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image as Picture

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "measurement.py"


def draw(folder: Path, count: int) -> None:
    """Bright discs of radius r pixels of 0.5 mm, whose reference is that of a radius one pixel smaller."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    lines = ["filename,group_id,pixel_size_mm,head_circumference_mm"]
    x, y = np.meshgrid(np.arange(48), np.arange(40))
    for n in range(count):
        radius = 8 + n % 7
        disc = np.hypot(x - 24, y - 20) <= radius
        noise = np.random.default_rng(n).integers(0, 60, disc.shape)
        Picture.fromarray((noise + 150 * disc).astype(np.uint8)).save(folder / "images" / f"{n:03}.png")
        Picture.fromarray((disc * 255).astype(np.uint8)).save(folder / "masks" / f"{n:03}.png")
        lines.append(f"{n:03}.png,{n:03},0.5,{2 * math.pi * (radius - 1) * 0.5:.4f}")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")


def test_a_small_data_set_is_measured_in_millimetres(tmp_path: Path) -> None:
    draw(tmp_path / "data", 24)
    written = tmp_path / "out.json"
    options = ["--steps", "4", "--samples", "2", "--json", str(written)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--data", str(tmp_path / "data"), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(written.read_text())["results"]
    assert result["pictures"]["test"] == len(result["measured"]) == 6
    assert abs(result["offset_pixels"] - 2 * math.pi) < 0.6  # one pixel of radius
    assert result["true_mask_error_mm"] < 0.5
    assert all(abs(m["of_truth"] - m["reference"]) < 4 for m in result["measured"])
    assert "corrected" in done.stdout
