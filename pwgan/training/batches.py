"""The mini-batches of training: real samples, latents, and the generated samples of both."""

from __future__ import annotations

import torch

from pwgan.batches import samplers
from pwgan.batches.drawing import batches, build_sampler
from pwgan.cells import Training
from pwgan.data.store import rows_of, to_float
from pwgan.methods import Batch, FlowMethod, PooledMethod, SemidiscreteMethod, TiedMethod
from pwgan.training.checkpoint import State
from pwgan.training.draws import Draws
from pwgan.training.fresh import FreshBatches
from pwgan.training.samples import generate, latent_samples
from pwgan.transport.cost import points as as_points


class Batches:
    """Makes the batches of one block of seeds; each depends on its number, the generator and the state alone.

    real: the training sets (S or 1, n, *sample), from which a sampler draws, unless ``fresh`` makes the real batches.
    """

    def __init__(
        self, cell: Training, real: torch.Tensor, state: State, draws: Draws, fresh: FreshBatches | None = None
    ) -> None:
        self.cell, self.real, self.state, self.draws, self.fresh = cell, real, state, draws, fresh
        self.method = cell.build_method()
        self.pooled = isinstance(self.method, PooledMethod) and self.method.matches_ahead
        name, self.sampler = self.method.sampler, None
        if not fresh:  # preparing the batches of a training set may take long
            self.sampler = build_sampler(name, real, cell.batch_size, cell.seed_range, real.device)
        self.flows = isinstance(self.method, FlowMethod)
        # To choose latents by the samples of a flow, training would have to integrate it.
        self.oversample = 1 if self.flows else samplers()[name].oversample
        self.epoch = max(1, real.shape[1] // cell.batch_size)
        tied = real.shape[1] if isinstance(self.method, TiedMethod) else 0
        self.tied = latent_samples(cell.seed_range, "tied", tied, cell.network.latent_dim).to(real.device)

    def batch(self, number: int) -> Batch:
        """Return batch ``number`` of every seed, its generated samples with their graph; of a flow there are none."""
        if isinstance(self.method, SemidiscreteMethod):
            return self._assigned(self.method, number)
        index = self.index(number)
        real = self.real_samples(number, index)
        second = None
        if isinstance(self.method, TiedMethod):
            assert index is not None  # a study with fresh batches has no tied method
            partner = self.state.tie["matching"].gather(1, index)
            latent = rows_of(self.tied, partner)
        elif self.pooled:
            latent, second = self._pooled(number)
        else:
            latent, second = self._latents("latent", number), self._second(number)
        uniform = self.draws.uniforms("uniform", number)
        if self.flows:
            return Batch(real, index, latent, real[:, :0], uniform)
        generator, m = self.state.nets.generator, self.cell.batch_size
        fake = generator(latent if second is None else torch.cat([latent, second], 1))
        others = None if second is None else fake[:, m:]
        return Batch(real, index, latent, fake[:, :m], uniform, others)

    def index(self, number: int) -> torch.Tensor | None:
        """Return the rows (S, m) of the training sets that form batch ``number``; None if it is drawn anew."""
        return self.sampler.batch(number) if self.sampler else None

    def real_samples(self, number: int, index: torch.Tensor | None) -> torch.Tensor:
        """Return the real samples (S, m, *sample) of batch ``number``: rows ``index``, or drawn anew."""
        if self.fresh:
            return self.fresh.batch(number)
        assert index is not None
        return to_float(rows_of(self.real, index.to(self.real.device)))

    def _second(self, number: int, count: int = 1) -> torch.Tensor | None:
        """Draw the latents of the second samples, if the method has them."""
        return self._latents("second latent", number, count) if self.method.second_draw else None

    def _latents(self, stream: str, number: int, count: int = 1) -> torch.Tensor:
        """Return the latents of ``count`` batches (S, count m, z).

        A sampler that oversamples makes an epoch of so many of them at once, by the samples of all its latents.
        """
        m, z, epochs = count * self.cell.batch_size, self.cell.network.latent_dim, self.state.epochs
        size = self.oversample
        if size == 1:
            return self.draws.draw(stream, number, (m, z))
        epoch, place = divmod(number, size)
        if stream not in epochs or epochs[stream][0] != epoch:
            latent = self.draws.draw(stream, epoch, (size * m, z))
            streams = [(stream, seed, epoch) for seed in self.cell.seed_range]
            order = batches(self.method.sampler, self.points(latent), m, streams).flatten(1)
            epochs[stream] = epoch, rows_of(latent, order)
        return epochs[stream][1][:, place * m : (place + 1) * m]

    def points(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the points (S, n, d) that the trained generator makes in eval mode."""
        return as_points(self._samples(latent), 1)

    def _samples(self, latent: torch.Tensor) -> torch.Tensor:
        generator = self.state.nets.generator
        fake = generate(generator, latent)
        generator.train()
        return fake

    def _assigned(self, method: SemidiscreteMethod, number: int) -> Batch:
        """Return the part of batch ``number`` of the fresh latents, with their targets, of the present tie."""
        size = (method.rematch_every or self.epoch) * method.generator_steps
        first, place = number - number % size, number % size
        if place == 0:
            latents = torch.cat([self._latents("latent", first + k) for k in range(size)], 1)
            fake = self.points(latents)
            real = as_points(to_float(self.real)).expand(len(fake), -1, -1)
            targets = method.assign(real, fake, self.state.tie["row_potential"])
            self.state.pool = {"first": latents, "targets": targets}
        rows = slice(place * self.cell.batch_size, (place + 1) * self.cell.batch_size)
        latent, index = self.state.pool["first"][:, rows], self.state.pool["targets"][:, rows]
        fake = self.state.nets.generator(latent)
        return Batch(self.real_samples(number, index), index, latent, fake, self.draws.uniforms("uniform", number))

    def _pooled(self, number: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the part of the pool of batch ``number``; a new pool is drawn and matched when the last is used up."""
        assert isinstance(self.method, PooledMethod)
        pool, place = divmod(number, self.method.pool)
        if place == 0:
            self.state.pool = self._matched(pool)
        rows = slice(place * self.cell.batch_size, (place + 1) * self.cell.batch_size)
        second = self.state.pool.get("second")
        return self.state.pool["first"][:, rows], None if second is None else second[:, rows]

    def _matched(self, pool: int) -> dict[str, torch.Tensor]:
        """Draw the latents of pool ``pool`` and order them by the training samples of its batches."""
        assert isinstance(self.method, PooledMethod)
        size, count = self.method.pool, self.method.pool * self.method.latents_per_sample
        numbers = range(pool * size, (pool + 1) * size)
        real = torch.cat([self.real_samples(number, self.index(number)) for number in numbers], 1)
        latents = {"first": self._latents("latent", pool, count), "second": self._second(pool, count)}
        drawn = {name: latent for name, latent in latents.items() if latent is not None}
        made = drawn if self.flows else {name: self._samples(latent) for name, latent in drawn.items()}
        orders = self.method.match_latents(real, made["first"], made.get("second"))
        return {
            name: rows_of(latent, order)
            for (name, latent), order in zip(drawn.items(), orders, strict=False)
            if order is not None
        }
