"""What the work folder keeps of likely labels."""

import os
from pathlib import Path

from medloop.loop.learning.weak_cases import drop_oldest


def test_the_oldest_go_until_the_rest_fits_and_the_newest_stays_whatever_its_size(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "older", "oldest")):
        (tmp_path / f"{name}.gz").write_bytes(b"x" * 10)
        os.utime(tmp_path / f"{name}.gz", (1000 - age, 1000 - age))
    (tmp_path / "other").write_bytes(b"x" * 100)
    drop_oldest(tmp_path, 20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.gz", "older.gz", "other"]
    drop_oldest(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.gz", "other"]
