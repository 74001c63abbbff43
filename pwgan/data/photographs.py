"""Patches of the colour photographs that scikit-image holds: natural images without a network."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator

from pwgan.data.base import DataSet, Split
from pwgan.data.embedded import packaged
from pwgan.errors import Refused
from pwgan.runtime import seed_of

PHOTOGRAPHS = {
    "astronaut.png": (512, 512),
    "chelsea.png": (300, 451),
    "coffee.png": (400, 600),
    "motorcycle_left.png": (500, 741),
    "rocket.jpg": (427, 640),
}
"""Height and width of each. Left out are grey and drawn images, micrographs, and the right one of the stereo pair."""
HELD_OUT = 5  # one tile of so many is held out


def photograph(file: str) -> np.ndarray:
    """Return the pixels of a photograph of scikit-image, uint8 (height, width, 3); raises ``Refused`` without it."""
    from PIL import Image

    # Read from the package folder: the functions of skimage.data would download missing files.
    path = packaged("photographs", "skimage", f"data/{file}")
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise Refused(f"{path} cannot be read: {error}. Install scikit-image again") from error


class Photographs(DataSet):
    """Square colour patches, uint8 (3, size, size), of five photographs; training and held-out ones share no pixel.

    The photographs are astronaut, chelsea (a cat), coffee, motorcycle_left and rocket. Each is divided into square
    tiles of twice the size, from its upper left corner; what remains at the right and at the bottom is not used. Of all
    tiles, one in five, drawn by a fixed seed, is held out. A patch lies within one tile, and its place, drawn without
    replacement, is equally likely to be any of a tile of its part. Patches of a tile overlap. There are no labels.
    """

    name: ClassVar[str] = "photographs"

    size: int = Field(32, ge=4, le=128, description="height and width in pixels")
    samples: int = Field(20_000, ge=1, description="number of training patches")
    heldout: int = Field(5_000, ge=1, description="number of held-out patches")

    @model_validator(mode="after")
    def _enough_places(self) -> Photographs:
        train, heldout = self.tiles()
        for key, tiles in (("samples", train), ("heldout", heldout)):
            places = len(tiles) * (self.size + 1) ** 2
            if getattr(self, key) > places:
                raise Refused(f"there are {places} patches of size {self.size}; got {key}: {getattr(self, key)}")
        return self

    def tiles(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the training and the held-out tiles: number of the photograph, row and column of a corner, (n, 3)."""
        side = 2 * self.size
        every = [
            (number, row, column)
            for number, (height, width) in enumerate(PHOTOGRAPHS.values())
            for row in range(0, height - side + 1, side)
            for column in range(0, width - side + 1, side)
        ]
        order = np.random.default_rng(seed_of("data", self.name, "tiles")).permutation(np.array(every))
        kept_back = len(order) // HELD_OUT
        return order[kept_back:], order[:kept_back]

    def train_size(self) -> int:
        return self.samples

    def heldout_size(self) -> int:
        return self.heldout

    def sample_shape(self) -> tuple[int, ...]:
        return (3, self.size, self.size)

    def sources(self) -> list[Path]:
        """Return no files; raises ``Refused`` with the remedy if the package is missing."""
        for file in PHOTOGRAPHS:
            packaged(f"data set {self.name!r}", "skimage", f"data/{file}")
        return []

    def load(self) -> Split:
        pixels = []
        for file, shape in PHOTOGRAPHS.items():
            pixels.append(photograph(file))
            if pixels[-1].shape != (*shape, 3):
                found, expected = pixels[-1].shape[:2], shape
                raise Refused(f"{file} of scikit-image has {found} pixels; this data set is defined by {expected}")
        train, heldout = self.tiles()
        return Split(
            self._cut(pixels, train, "train", self.samples), self._cut(pixels, heldout, "heldout", self.heldout)
        )

    def _cut(self, pixels: list[np.ndarray], tiles: np.ndarray, part: str, count: int) -> np.ndarray:
        """Cut patches (count, 3, size, size) at distinct places of the tiles, in a fixed random order."""
        places = self.size + 1
        rng = np.random.default_rng(seed_of("data", self.name, part))
        tile, place = np.divmod(rng.permutation(len(tiles) * places**2)[:count], places**2)
        numbers, rows, columns = (tiles[tile] + np.stack([0 * place, place // places, place % places], 1)).T
        patches = np.empty((count, 3, self.size, self.size), np.uint8)
        for number, image in enumerate(pixels):
            windows = np.lib.stride_tricks.sliding_window_view(image, (self.size, self.size), axis=(0, 1))
            of = numbers == number
            patches[of] = windows[rows[of], columns[of]]
        return patches
