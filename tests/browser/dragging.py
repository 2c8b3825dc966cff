"""A drag over the page, from voxel to voxel."""

from playwright.sync_api import Page


def drag(page: Page, start: tuple[int, int, int], stop: tuple[int, int, int]) -> None:
    """Draw on the axial plane from one voxel to another."""
    first, last = (page.evaluate(f"window.medloop.pointOf('axial', {i}, {j}, {k})") for i, j, k in (start, stop))
    page.mouse.move(first["x"], first["y"])
    page.mouse.down()
    page.mouse.move(last["x"], last["y"], steps=4)
    page.mouse.up()
