"""Links as git-annex makes them: read where they lead into the source or into its own store, refused elsewhere."""

from pathlib import Path

import numpy as np
import PIL.Image

from medloop.datasets.discover import open_dataset
from medloop.images.read import read_image


def annexed(place: Path, store: Path, value: int) -> None:
    """A picture in the store and a relative link in its place."""
    store.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    key = store / f"key{value}.png"
    PIL.Image.fromarray(np.full((3, 4), value, np.uint8)).save(key)
    place.symlink_to(Path(*[".."] * len(place.parent.relative_to(store.parents[2]).parts)) / key.relative_to(store.parents[2]))


def test_links_into_the_store_are_read_from_the_repository_and_from_its_folders(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    for value in (1, 2):
        annexed(root / f"study/images/{value}.png", root / ".git/annex/objects", value)
    for source in (root / "study", root / "study/images"):
        dataset = open_dataset(source, fmt="folder")
        assert dataset.refused == ()
        assert [int(read_image(case.images[0]).image.array.max()) for case in dataset.cases] == [1, 2]


def test_links_into_the_store_of_another_repository_are_refused(tmp_path: Path) -> None:
    annexed(tmp_path / "mine/images/1.png", tmp_path / "mine/.git/annex/objects", 1)
    annexed(tmp_path / "theirs/images/9.png", tmp_path / "theirs/.git/annex/objects", 9)
    (tmp_path / "mine/images/9.png").symlink_to(tmp_path / "theirs/.git/annex/objects/key9.png")
    dataset = open_dataset(tmp_path / "mine", fmt="folder")
    assert [case.name for case in dataset.cases] == ["1"]
    assert [refusal.file for refusal in dataset.refused] == ["images/9.png"]
    assert "must not lead out of the source's folder" in str(dataset.refused[0])


def test_a_store_is_not_a_way_out_to_the_rest_of_the_disk(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    PIL.Image.fromarray(np.zeros((3, 4), np.uint8)).save(secret)
    store = tmp_path / "mine/.git/annex/objects"
    annexed(tmp_path / "mine/images/1.png", store, 1)
    (store / "hop.png").symlink_to(secret)
    (tmp_path / "mine/images/2.png").symlink_to("../.git/annex/objects/hop.png")
    dataset = open_dataset(tmp_path / "mine/images", fmt="folder")
    assert [case.name for case in dataset.cases] == ["1"]
