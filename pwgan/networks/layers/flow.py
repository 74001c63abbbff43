"""A flow: the generator that follows a velocity network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import torch
from torch import nn


class Flow(nn.Module):
    """The end x(1) of dx/dt = v(x, t) from x(0) = latent: (S, m, d) -> (S, m, *shape), d numbers in a sample.

    Heun's method takes ``steps`` = n steps of length h = 1/n, and two velocities in each: k1 = v(x, t) and
    k2 = v(x + h k1, t + h), then x + h (k1 + k2) / 2; its error is O(h^2). ``velocity`` is the network of v:
    (S, m, *shape), (S, m) -> (S, m, *shape). Source: Hairer, Norsett and Wanner, "Solving ordinary differential
    equations I", 1993, section II.1.
    """

    def __init__(self, velocity: nn.Module, shape: tuple[int, ...], steps: int) -> None:
        super().__init__()
        self.velocity, self.shape, self.steps = velocity, shape, steps

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return deque(self.path(latent), maxlen=1).pop()  # without holding the path

    def path(self, latent: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield x(0), x(1/n), ..., x(1), (S, m, *shape) each."""
        x = latent.unflatten(-1, self.shape)
        yield x
        for k in range(self.steps):
            first = self.velocity_at(x, k)
            second = self.velocity_at(x + first / self.steps, k + 1)
            x = x + (first + second) / (2 * self.steps)
            yield x

    def velocity_at(self, x: torch.Tensor, k: int) -> torch.Tensor:
        """Return v(x, k/n), (S, m, *shape)."""
        return self.velocity(x, x.new_full(x.shape[:2], k / self.steps))
