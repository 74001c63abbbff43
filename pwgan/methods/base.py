"""The contract of a training method."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import Field, PositiveFloat, PositiveInt

from pwgan.batches import SamplerName
from pwgan.lazy import torch
from pwgan.networks.base import CriticNorm
from pwgan.options import Options

if TYPE_CHECKING:
    from pwgan.transport.empirical import Transport


class Optimiser(Protocol):
    """What the training loop asks of an optimiser; those of torch.optim have it too."""

    def step(self) -> None:
        """Descend along the gradients."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state, for a checkpoint."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state of a checkpoint."""


@dataclass(frozen=True)
class Nets:
    """The networks of S seeds: generator(latent (S, m, z)) -> (S, m, *sample); critic(x) -> (S, m), features(x)."""

    generator: torch.nn.Module
    critic: torch.nn.Module


@dataclass(frozen=True)
class Batch:
    """One mini-batch of every seed.

    ``real`` (S, m, *sample) are the training samples number ``index`` (S, m); ``latent`` (S, m, z) are standard normal,
    drawn afresh (and chosen among, where the method's sampler is not random) or, for a ``TiedMethod``, those tied to
    ``real``;
    ``fake`` (S, m, *sample) = generator(latent), with its graph in a generator step and without in a critic step.
    ``uniform(*shape)`` draws U(0, 1) numbers (S, *shape), each seed's from its own generator.
    """

    real: torch.Tensor
    index: torch.Tensor
    latent: torch.Tensor
    fake: torch.Tensor
    uniform: Callable[..., torch.Tensor]


class Method(Options):
    """How a generator is trained: options and loss, on the seed axis.

    One iteration takes ``generator_steps`` steps of Adam, each on a fresh mini-batch. Losses are (S,), one for each
    seed. A method knows no data set, no file and no workflow.

    ``sampler`` says which samples meet in a mini-batch, real ones and generated ones (pwgan/batches/);
    other than random, it chooses m latents by the samples that the generator makes of more. Source: article D6.
    """

    name: ClassVar[str]

    sampler: SamplerName = "random"
    generator_steps: PositiveInt = 1
    generator_lr: PositiveFloat = 2e-4
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.5, 0.999)

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Return what the generator minimises, (S,)."""
        raise NotImplementedError

    def optimiser(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> Optimiser:
        """Return the optimiser of one network: Adam, elementwise and so separate for each seed."""
        from pwgan.networks.layers.optimisers import Adam

        return Adam(parameters, lr, self.betas)


class AdversarialMethod(Method):
    """A method with a critic, which takes ``critic_steps`` steps, each on a fresh mini-batch, before the generator's.

    ``critic_norm`` says whether a convolutional critic is batch-normalised; ``dual``, whether E f(x) - E f(G(z)) of the
    critic f estimates the Wasserstein distance.
    """

    critic_norm: ClassVar[CriticNorm] = "batch"
    dual: ClassVar[bool] = False

    critic_steps: PositiveInt = 1
    critic_lr: PositiveFloat = 2e-4

    def critic_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """Return what the critic minimises, (S,)."""
        raise NotImplementedError

    def after_critic_step(self, nets: Nets) -> None:
        """Change the critic after each of its steps, by clipping say; nothing by default."""


class TiedMethod(Method):
    """A method trained on pairs: n latents of each seed, drawn once, are tied one-to-one to its n training samples.

    ``tie`` says which belongs to which before iterations 0, ``rematch_every``, 2 ``rematch_every``, ..., from the
    generator as it then is, in eval mode; until the next time, the latents of every mini-batch are those of its
    samples. If not told otherwise it is asked once in an epoch, every n // m iterations: the longer a matching is kept,
    the more of it is learned by heart. Matching and potentials are part of each checkpoint. After the last iteration
    ``tie`` is asked once more: its value, the EWD on tied latents, is recorded beside that on fresh ones. The sampler
    chooses samples; their latents follow.
    """

    rematch_every: PositiveInt | None = None

    def tie(
        self, real: torch.Tensor, fake: torch.Tensor, potentials: tuple[torch.Tensor, torch.Tensor] | None
    ) -> Transport:
        """Match all training samples with what one seed's generator makes of its tied latents.

        real, fake: (n, d) float32, finite. ``potentials``: those of the seed's last tie, (n,) each; None at the first.
        The answer must be a function of these alone.
        """
        raise NotImplementedError
