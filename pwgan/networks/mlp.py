"""The fully connected network."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from pwgan.errors import Refused
from pwgan.networks.base import CriticNorm, Network
from pwgan.options import Count

if TYPE_CHECKING:
    from typing import Self

    from torch import nn

Activation = Literal["relu", "tanh", "leaky"]
INITIAL = {"orthogonal": 1.0, "normal": 0.02}
"""Default scale of each initialisation that has one."""


class MLP(Network):
    """Fully connected generator and critic, for samples of any shape.

    ``depth`` hidden layers of one ``width``, or one hidden layer for each width of a list, whatever ``depth`` is.
    ``critic_width`` and ``critic_depth`` are the generator's unless given. ``activation`` of the hidden layers of both
    networks (leaky: slope 0.2); by default relu in the generator and leaky in the critic. ``init``: ``default`` draws
    weights and biases from U(-1/sqrt(fan_in), 1/sqrt(fan_in)); ``orthogonal`` with gain ``init_scale`` (1) and
    ``normal`` with standard deviation ``init_scale`` (0.02) set biases to 0. The velocity network of a flow is the
    generator's in all of these, and is given a sample and a time.
    """

    name: Literal["mlp"] = "mlp"
    width: Count | Annotated[list[Count], Field(min_length=1)] = 128
    depth: Count = 3
    latent_dim: Count = 16
    critic_width: Count | Annotated[list[Count], Field(min_length=1)] | None = None
    critic_depth: Count | None = None
    activation: Activation | None = None
    init: Literal["default", "orthogonal", "normal"] = "default"
    init_scale: PositiveFloat | None = Field(
        default=None, description="gain (orthogonal) or standard deviation (normal)"
    )

    @model_validator(mode="after")
    def _scaled(self) -> Self:
        if self.init_scale is not None and self.init not in INITIAL:
            raise Refused(f"init_scale has no effect on init: default; allowed with: {', '.join(INITIAL)}")
        return self

    def _hidden(self, critic: bool) -> list[int]:
        """Widths of the hidden layers of the generator or the critic."""
        width = (self.critic_width if critic else None) or self.width
        depth = (self.critic_depth if critic else None) or self.depth
        return width if isinstance(width, list) else [width] * depth

    def weights(self, shape: tuple[int, ...]) -> int:
        """Return the number of weights of one seed's generator and critic, without biases."""
        size = math.prod(shape)
        sizes = [self.latent_dim, *self._hidden(critic=False), size], [size, *self._hidden(critic=True), 1]
        return sum(a * b for widths in sizes for a, b in itertools.pairwise(widths))

    def build(self, seeds: range, shape: tuple[int, ...], critic_norm: CriticNorm) -> tuple[nn.Module, nn.Module]:
        """Return generator and critic; ``critic_norm`` spectral is honoured, batch is ignored."""
        from pwgan.networks.layers import mlp

        sizes = [self.latent_dim, *self._hidden(critic=False)]
        generator = mlp.Generator(len(seeds), sizes, shape, self.latent, self.activation or "relu")
        hidden = self._hidden(critic=True)
        return generator, mlp.Critic(len(seeds), hidden, shape, self.activation or "leaky", critic_norm)

    def build_velocity(self, seeds: range, shape: tuple[int, ...]) -> nn.Module:
        """Return the velocity network of a flow, of the width, depth and activation of the generator."""
        from pwgan.networks.layers import mlp

        return mlp.Velocity(len(seeds), self._hidden(critic=False), shape, self.activation or "relu")

    def initialise(self, module: nn.Module, seeds: range, role: str) -> None:
        """Draw the initial parameters of ``module``, each seed from its own generator, by ``init``."""
        from pwgan.networks.layers.initial import initialise

        initialise(module, seeds, role, self.init, self.init_scale or INITIAL.get(self.init, 1.0))
