"""Points in the plane with known density: rings and grids of Gaussians, and a swiss roll."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from pwgan.data.base import Split, Synthetic
from pwgan.runtime import seed_of

Extent = tuple[float, float, float, float]


def cell_density(
    centres: np.ndarray, weights: np.ndarray, sigma: float, extent: Extent, cells: int = 128
) -> np.ndarray:
    """Return the mean over each grid cell of the density sum_k w_k N(c_k, sigma^2 I), shape (cells, cells).

    An isotropic Gaussian is a product, so its mass in a cell is a product of two differences of the normal distribution
    function: exact even if the Gaussian is narrower than the cell. Rows go from bottom to top.
    """
    from scipy.special import ndtr

    left, right, bottom, top = extent
    columns = np.diff(ndtr((np.linspace(left, right, cells + 1) - centres[:, :1]) / sigma), axis=1)
    rows = np.diff(ndtr((np.linspace(bottom, top, cells + 1) - centres[:, 1:]) / sigma), axis=1)
    area = (right - left) * (top - bottom) / cells**2
    return rows.T @ (weights[:, None] * columns) / area


class _Planar(Synthetic):
    """Points in the plane: a seed's training set and its held-out set are independent draws."""

    half_width: ClassVar[float]
    sigma: ClassVar[float]

    samples: int = Field(100_000, ge=1, description="number of training points")
    heldout: int = Field(10_000, ge=1, description="number of held-out points")

    def train_size(self) -> int:
        return self.samples

    def heldout_size(self) -> int:
        return self.heldout

    def sample_shape(self) -> tuple[int, ...]:
        return (2,)

    def _draw(self, count: int, part: str, seed: int) -> np.ndarray:
        # Each part has its own generator: changing the size of one does not change the other.
        rng = np.random.default_rng(seed_of("data", self.name, part, seed))
        places = self._places(count, rng)
        return (places + self.sigma * rng.standard_normal((count, 2))).astype(np.float32)

    def _places(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw the points (count, 2) to which the noise is added."""
        raise NotImplementedError

    def _extent(self) -> Extent:
        return (-self.half_width, self.half_width, -self.half_width, self.half_width)


class Mixture(_Planar):
    """A mixture sum_k w_k N(mode_k, sigma^2 I)."""

    fresh: bool = Field(default=False, description="draw every mini-batch anew instead of from the training set")

    @classmethod
    def mixture(cls) -> tuple[np.ndarray, np.ndarray]:
        """Return the modes (k, 2) and their proportions (k,)."""
        raise NotImplementedError

    def _places(self, count: int, rng: np.random.Generator) -> np.ndarray:
        modes, weights = self.mixture()
        return modes[rng.choice(len(modes), size=count, p=weights)]

    def draw(self, seed: int) -> Split:
        modes, weights = self.mixture()
        return Split(
            train=self._draw(self.samples, "train", seed),
            heldout=self._draw(self.heldout, "heldout", seed),
            modes=modes,
            weights=weights,
            sigma=self.sigma,
            fresh=self.fresh,
            density=cell_density(modes, weights, self.sigma, self._extent()),
            extent=self._extent(),
        )


class Ring8(Mixture):
    """Eight equal Gaussians on a circle: modes (cos 2 pi i / 8, sin 2 pi i / 8), sigma 0.01.

    Source: the 2D-ring of Lin et al. 2018 (PacGAN), section 4.1 and Table 1, after Srivastava et al. 2017 (VEEGAN).
    """

    name: ClassVar[str] = "ring8"
    half_width: ClassVar[float] = 1.5
    sigma: ClassVar[float] = 0.01

    @classmethod
    def mixture(cls) -> tuple[np.ndarray, np.ndarray]:
        angles = 2 * np.pi * np.arange(8) / 8
        return np.stack([np.cos(angles), np.sin(angles)], axis=1), np.full(8, 1 / 8)


class Ring8Legacy(Mixture):
    """The ring of much published code, where eight angles include both 0 and 2 pi: seven distinct modes.

    Modes (sin t_i, cos t_i) with t_i = 2 pi i / 7; the mode (0, 1) counts twice and has weight 1/4, the other six have
    1/8; sigma 0.01. A method that covers all of it covers 7 modes, not 8.
    Source: the toy example released with Metz et al. 2017 (Unrolled GAN), copied by many later comparisons.
    """

    name: ClassVar[str] = "ring8_legacy"
    half_width: ClassVar[float] = 1.5
    sigma: ClassVar[float] = 0.01

    @classmethod
    def mixture(cls) -> tuple[np.ndarray, np.ndarray]:
        angles = np.linspace(0, 2 * np.pi, 8)[:-1]
        return np.stack([np.sin(angles), np.cos(angles)], axis=1), np.array([2, 1, 1, 1, 1, 1, 1]) / 8


class Ring8Wide(Mixture):
    """Eight equal Gaussians on a circle of radius 2: modes (2 cos 2 pi i / 8, 2 sin 2 pi i / 8), covariance 0.02 I.

    Neighbouring modes are 1.53 apart, 11 sigma, where those of ``ring8`` are 77 sigma apart.
    Source: the toy example of Fatras et al. 2020 (Learning with minibatch Wasserstein).
    """

    name: ClassVar[str] = "ring8_wide"
    half_width: ClassVar[float] = 3.0
    sigma: ClassVar[float] = 0.02**0.5

    @classmethod
    def mixture(cls) -> tuple[np.ndarray, np.ndarray]:
        modes, weights = Ring8.mixture()
        return 2 * modes, weights


class Grid25(Mixture):
    """Twenty-five equal Gaussians on the square grid {-4, -2, 0, 2, 4}^2, sigma 0.05.

    Source: the 2D-grid of Lin et al. 2018 (PacGAN), section 4.1 and Table 1, after Srivastava et al. 2017 (VEEGAN).
    """

    name: ClassVar[str] = "grid25"
    half_width: ClassVar[float] = 5.0
    sigma: ClassVar[float] = 0.05

    @classmethod
    def mixture(cls) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(-4.0, 5.0, 2.0)
        return np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(25, 2), np.full(25, 1 / 25)


class SwissRoll(_Planar):
    """A spiral with noise: (t cos t, t sin t) / 7.5 + sigma N(0, I), t uniform on [1.5 pi, 4.5 pi], sigma 1/30.

    It has no modes; its density is the noise density integrated along the curve, by the midpoint rule in t.
    Source: Gulrajani et al. 2017 (WGAN-GP), Figure 2 (noise 0.25 before the division by 7.5).
    """

    name: ClassVar[str] = "swiss_roll"
    half_width: ClassVar[float] = 2.5
    sigma: ClassVar[float] = 0.25 / 7.5

    @staticmethod
    def curve(u: np.ndarray) -> np.ndarray:
        """Return the points (n, 2) of the curve at t = (1.5 + 3 u) pi, 0 <= u <= 1."""
        t = (1.5 + 3 * u) * np.pi
        return np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 7.5

    def _places(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return self.curve(rng.random(count))

    def draw(self, seed: int) -> Split:
        # 8192 nodes are at most 0.07 sigma apart on the curve: the error is 1e-5 of the largest value.
        nodes = self.curve((np.arange(8192) + 0.5) / 8192)
        return Split(
            train=self._draw(self.samples, "train", seed),
            heldout=self._draw(self.heldout, "heldout", seed),
            density=cell_density(nodes, np.full(8192, 1 / 8192), self.sigma, self._extent()),
            extent=self._extent(),
        )
