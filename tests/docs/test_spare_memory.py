"""Where the tests' files may lie in memory: what a container may use decides, not what its host has."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "spare-memory"
GIB = 1 << 30
UNLIMITED_1 = 9223372036854771712


def spare(cgroup: Path) -> str:
    env = {**os.environ, "SPARE_CGROUP": str(cgroup)}
    return subprocess.run([SCRIPT], env=env, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def group(place: Path, names: tuple[str, str, str], limit: object, used: int, cached: int = 0) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in zip(names, (limit, used, f"{'total_' if 'usage' in names[1] else ''}inactive_file {cached}"), strict=True):
        (place / name).write_text(f"{text}\n")


VERSIONS = {
    "v2": ("", ("memory.max", "memory.current", "memory.stat"), "max"),
    "v1": ("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"), UNLIMITED_1),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_container_with_too_little_left_has_none_to_spare_and_one_without_a_limit_what_its_host_has(version: str, tmp_path: Path) -> None:
    below, names, unlimited = VERSIONS[version]
    of_the_host = spare(tmp_path / "none")
    group(tmp_path / "a" / below, names, unlimited, 3 * GIB)
    assert spare(tmp_path / "a") == of_the_host
    group(tmp_path / "b" / below, names, 8 * GIB, 1 * GIB)
    assert spare(tmp_path / "b") == ""
    group(tmp_path / "c" / below, names, 900 * GIB, 899 * GIB, cached=890 * GIB)  # its page cache is given back
    assert spare(tmp_path / "c") == of_the_host
