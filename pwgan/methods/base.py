"""The interface of a training method."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field, PositiveFloat, model_validator

from pwgan.batches import SamplerName
from pwgan.errors import Refused
from pwgan.lazy import torch
from pwgan.networks.base import CriticNorm
from pwgan.options import Count, Options

Decay = Literal["none", "linear", "cosine"]
Family = Literal["critic", "matching", "relaxed matching", "other distance", "flow", "nearest sample"]
"""What a generator is trained against; methods of a family share a colour in the figure ``families``."""


class Optimiser(Protocol):
    """The part of the interface of torch.optim optimisers that the training loop uses, and the rate ``lr``."""

    lr: float

    def step(self) -> None:
        """Take one step along the gradients."""

    def zero_grad(self) -> None:
        """Reset all gradients."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for a checkpoint."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""


@dataclass(frozen=True)
class Nets:
    """The networks of S seeds: generator(latent (S, m, z)) -> (S, m, *sample); critic(x) -> (S, m), features(x).

    The generator of a ``FlowMethod`` also has velocity(x (S, m, *sample), t (S, m)) -> (S, m, *sample).
    ``critic_optimiser``: that of the critic in training, for a generator whose loss looks ahead.
    """

    generator: torch.nn.Module
    critic: torch.nn.Module
    critic_optimiser: Optimiser | None = None


@dataclass(frozen=True)
class Batch:
    """One mini-batch of every seed.

    ``real`` (S, m, *sample) are the training samples with indices ``index`` (S, m); where batches are drawn anew from
    the data's distribution, ``index`` is None. ``latent`` (S, m, z) are fresh draws (put together by the
    sampler), the latents matched with ``real`` for a ``PooledMethod`` with a pool, or the latents tied to ``real``
    for a ``TiedMethod``; for a ``SemidiscreteMethod``, ``real`` are the samples assigned to fresh latents. ``fake``
    (S, m, *sample) = generator(latent), with its graph in a generator step and without in a critic step; for a
    ``FlowMethod`` there are none, (S, 0, *sample). ``second`` (S, m, *sample): the generator's samples of a second set
    of latents, for a method with ``second_draw``. ``uniform(*shape)`` draws U(0, 1) numbers (S, *shape), each seed from
    its own generator.
    """

    real: torch.Tensor
    index: torch.Tensor | None
    latent: torch.Tensor
    fake: torch.Tensor
    uniform: Callable[..., torch.Tensor]
    second: torch.Tensor | None = None


class Method(Options):
    """How a generator is trained: options and loss, with a seed axis.

    One iteration takes ``generator_steps`` steps of Adam, each on a fresh mini-batch. Losses are (S,), one for each
    seed. A method is independent of data sets, files and the workflow.

    ``sampler`` forms the mini-batches of real and generated samples (see ``pwgan.batches``). Samplers other than
    ``random`` form epochs of some batches of generated samples too, before the first of them. Source: article D6.

    ``steps``: iterations, if not those of the study; one number, or one for each mini-batch size. ``lr_decay`` is that
    of all learning rates, to 0 at the last iteration (see ``rate``). With ``ema``, the generator that is evaluated,
    saved and measured has the exponential moving average of the trained weights, w <- ema w + (1 - ema) v after each
    generator step; the training itself is unchanged.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    second_draw: ClassVar[bool] = False
    """Whether each batch has a second set of generated samples."""

    sampler: SamplerName = "random"
    steps: Count | dict[Count, Count] | None = Field(default=None, description="iterations: a number, or {m: number}")
    generator_steps: Count = 1
    generator_lr: PositiveFloat = 2e-4
    lr_decay: Decay = "none"
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)
    ema: float | None = Field(
        default=None, gt=0, lt=1, description="decay of the moving average of the generator's weights"
    )

    def steps_at(self, batch_size: int) -> int | None:
        """Return the iterations with mini-batches of this size, or None for those of the study."""
        return self.steps.get(batch_size) if isinstance(self.steps, dict) else self.steps

    def rate(self, done: float) -> float:
        """Return the factor of all learning rates after the fraction ``done`` of the iterations, 0 <= done < 1.

        1 (none), 1 - done (linear), (1 + cos(pi done)) / 2 (cosine).
        """
        return {"none": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[self.lr_decay]

    def check_sizes(self, batch_size: int, evaluation_points: int) -> None:
        """Raise ``Refused`` if the method cannot be trained or evaluated with so many samples; by default it can."""

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise ``Refused`` if the method cannot be trained on samples of this shape; by default it can."""

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Return the generator's loss, (S,)."""
        raise NotImplementedError

    def optimiser(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> Optimiser:
        """Return the optimiser of one network: Adam, which is elementwise, so seeds do not interact."""
        from pwgan.networks.layers.optimisers import Adam

        return Adam(parameters, lr, self.betas)


class AdversarialMethod(Method):
    """A method with a critic, which takes ``critic_steps`` steps, each on a fresh mini-batch, before the generator's.

    With ``simultaneous``, an iteration is one step of both networks on one mini-batch: both gradients are computed
    before either network changes. ``critic_norm``: normalisation of the critic (``batch``: of a convolutional one).
    ``dual``: whether E f(x) - E f(G(z)) of the critic f estimates the Wasserstein distance.
    """

    family: ClassVar[Family] = "critic"
    critic_norm: ClassVar[CriticNorm] = "batch"
    dual: ClassVar[bool] = False

    critic_steps: Count = 1
    critic_lr: PositiveFloat = 2e-4
    simultaneous: bool = False

    @model_validator(mode="after")
    def _one_step_each(self) -> Self:
        if self.simultaneous and (self.critic_steps, self.generator_steps) != (1, 1):
            raise Refused(
                f"simultaneous takes one step of each network; got critic_steps: {self.critic_steps}, "
                f"generator_steps: {self.generator_steps}"
            )
        return self

    def critic_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what the critic scores, given that of a sample; by default the same."""
        return shape

    def critic_input(self, samples: torch.Tensor) -> torch.Tensor:
        """Return what the critic scores of samples (S, n, *shape), by default each of them: (S, k, *critic_shape)."""
        return samples

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Return the critic's loss, (S,)."""
        raise NotImplementedError

    def after_critic_step(self, nets: Nets) -> None:
        """Modify the critic after each of its steps, for example by clipping; does nothing by default."""


class FlowMethod(Method):
    """A method whose generator is a flow: the end x(1) of dx/dt = v(x, t) from a latent x(0) ~ N(0, I).

    The network of the cell makes v, and its ``latent_dim`` is the dimension of a sample, whatever a study says for
    other methods. The generator takes ``ode_steps`` steps of Heun's method, two velocities each: the more, the smaller
    the error, and the longer each sample takes. No step of training integrates: the loss calls
    ``nets.generator.velocity`` and has no ``batch.fake``. ``sampler`` forms the real mini-batches; latents are
    independent draws.
    """

    family: ClassVar[Family] = "flow"

    ode_steps: Count = 20
