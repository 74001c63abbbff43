"""Methods whose pairs of real and generated samples are found before the steps that train on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pwgan.lazy import torch
from pwgan.methods.base import Method
from pwgan.options import Count

if TYPE_CHECKING:
    from pwgan.transport.empirical import Transport


class PooledMethod(Method):
    """A method whose steps share a matching: of a pool of ``pool`` mini-batches, of which each step takes one.

    With k = ``pool`` > 1, ``match_latents`` orders the latents of km generated samples by the km training samples of k
    successive mini-batches, with the generator in eval mode. The next k generator steps take the pairs of one of these
    mini-batches each: ``batch.real`` and ``batch.fake`` are then matched, row by row, and every pair is used once. The
    pool in hand is part of each checkpoint. With k = 1 a batch is matched by the loss itself, unless
    ``matches_ahead``. With ``latents_per_sample`` = r > 1, rkm latents are drawn, and each sample takes one of them.
    """

    pool: Count = 1

    @property
    def matches_ahead(self) -> bool:
        """Whether ``match_latents`` orders the latents before the steps; by default with k > 1."""
        return self.pool > 1

    @property
    def latents_per_sample(self) -> int:
        """Latents drawn for each training sample of a pool, by default one."""
        return 1

    def match_latents(
        self, real: torch.Tensor, fake: torch.Tensor, second: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the order of the latents, and of those of the second draw, that matches them with the real samples.

        real: samples (S, km, *sample), fake, second: (S, rkm, *sample), finite -> indices (S, km): sample j is matched
        with fake[order[j]]. For a ``FlowMethod``, ``fake`` are the latents (S, km, z), where its paths begin. The
        result must be a function of these arguments alone.
        """
        raise NotImplementedError


class TiedMethod(Method):
    """A method trained on pairs: n latents of each seed, drawn once, are tied one-to-one to its n training samples.

    ``tie`` recomputes the matching before iterations 0, ``rematch_every``, 2 ``rematch_every``, ..., with the generator
    in eval mode; in between, each sample of a mini-batch is used with the latent tied to it. By default, ``tie`` is
    called once per epoch, every n // m iterations: the longer a matching is held fixed, the more of it is memorised.
    Matching and potentials are part of each checkpoint. After the last iteration ``tie`` is called once more, and
    its value, the EWD on tied latents, is recorded next to the EWD on fresh latents. The sampler selects samples, and
    with them their latents.
    """

    rematch_every: Count | None = None

    def tie(
        self, real: torch.Tensor, fake: torch.Tensor, potentials: tuple[torch.Tensor, torch.Tensor] | None
    ) -> Transport:
        """Match all training samples with the samples that one seed's generator makes of its tied latents.

        real, fake: (n, d) float32, finite. ``potentials``: those of the previous call for this seed, (n,) each; None in
        the first call. The result must be a function of these arguments alone.
        """
        raise NotImplementedError


class SemidiscreteMethod(TiedMethod):
    """A method trained on fresh latents, each with the one of all training samples that it is assigned to.

    Tied latents serve only ``tie``, which renews the potentials as for every ``TiedMethod``; no step trains on them.
    After it, ``assign`` gives targets to the fresh latents of all batches until the next one, with the generator in
    eval mode. In each batch, ``real`` and ``index`` are these targets; they are part of each checkpoint. The sampler
    forms the latents.
    """

    def assign(self, real: torch.Tensor, fake: torch.Tensor, potential: torch.Tensor) -> torch.Tensor:
        """Return the index of the training sample of each generated one, (S, k).

        real: all training samples, (S, n, d); fake: (S, k, d), not finite for a diverged seed. ``potential`` (S, n):
        the row potential of the last ``tie``, in the units of its cost. The result must be a function of these
        arguments alone.
        """
        raise NotImplementedError
