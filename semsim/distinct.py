"""The distinct images among many."""

from collections.abc import Sequence

from semsim.images import RGBImage


def distinct(images: Sequence[RGBImage]) -> tuple[list[int], list[RGBImage]]:
    """The row of each image among the distinct images, and these; images are compared by content, not by a hash."""
    rows_by_object: dict[int, int] = {}
    rows_by_content: dict[tuple[tuple[int, ...], bytes], int] = {}
    unique: list[RGBImage] = []
    rows = []
    for image in images:
        row = rows_by_object.get(id(image))
        if row is None:
            row = rows_by_content.setdefault((image.shape, image.tobytes()), len(unique))
            rows_by_object[id(image)] = row
            if row == len(unique):
                unique.append(image)
        rows.append(row)
    return rows, unique
