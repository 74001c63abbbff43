"""The samples that are measured: those of a block's generators, or real samples in their place."""

from __future__ import annotations

import torch

from pwgan.batches.base import random_order
from pwgan.data.store import StoredData
from pwgan.measures.bias import MatchedGradients, no_cosines
from pwgan.measures.generalisation import heldout_halves
from pwgan.measures.interpolation import spherical_paths, straight_paths
from pwgan.training.samples import generate, latent_samples, training_order, training_samples
from pwgan.transport.bias import Also
from pwgan.transport.cost import points
from pwgan.transport.minibatch import MinibatchTransport


class Subject:
    """S seeds that are measured together; ``sound`` (S,) marks those that did not diverge."""

    def __init__(self, data: StoredData, seeds: range, sound: torch.Tensor) -> None:
        self.data, self.seeds, self.sound = data.of_seeds(seeds), seeds, sound

    def samples(self, count: int) -> torch.Tensor:
        """Return ``count`` samples of each seed, (S, count, *sample), on the CPU."""
        raise NotImplementedError

    def pair(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return two independent sets of ``count`` samples of each seed, (S, count, *sample), on the CPU.

        Both are also independent of the first ``count`` held-out samples and of ``training_samples``.
        """
        raise NotImplementedError

    def against_training(self, count: int, first: int) -> torch.Tensor:
        """Return ``count`` samples to compare with the training set, (S, count, *sample), on the CPU.

        Real ones are held-out samples, of the first ``first`` only; there may be fewer than ``count``.
        """
        raise NotImplementedError

    def neighbours(self, count: int, first: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the samples to test for copies, (S, count, *sample), and held-out ones, (S or 1, count, *sample).

        With ``first``, held-out samples are of the first so many only.
        """
        raise NotImplementedError

    def paths(self, count: int) -> torch.Tensor:
        """Return the samples along ``count`` paths, (S, count, 9, *sample), on the CPU."""
        raise NotImplementedError

    def pool(self, n: int) -> torch.Tensor:
        """Return the pool that mini-batches partition, as points (S, n, d) on the measuring device."""
        raise NotImplementedError

    def cosines(self, x: torch.Tensor, full: MinibatchTransport) -> Also:
        """Return the function that adds gradient cosines to the bias reports: on the last pool, matched with x."""
        raise NotImplementedError


class Generated(Subject):
    """A block's generators on fresh latents, the same for every method."""

    def __init__(
        self, data: StoredData, generator: torch.nn.Module, seeds: range, latent_dim: int, sound: torch.Tensor
    ) -> None:
        super().__init__(data, seeds, sound)
        self.generator, self.latent_dim = generator, latent_dim
        self.device = next(generator.parameters()).device
        self._pool_latent = torch.empty(0)

    def _latent(self, stream: str, count: int) -> torch.Tensor:
        return latent_samples(self.seeds, stream, count, self.latent_dim).to(self.device)

    def samples(self, count: int) -> torch.Tensor:
        return generate(self.generator, self._latent("measured", count)).cpu()

    def pair(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.samples(count), generate(self.generator, self._latent("measured again", count)).cpu()

    def against_training(self, count: int, first: int) -> torch.Tensor:
        return self.samples(count)

    def neighbours(self, count: int, first: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        return self.samples(count), self.data.heldout_tensor(torch.arange(count))

    def paths(self, count: int) -> torch.Tensor:
        latents = spherical_paths(*self._latent("interpolation", 2 * count).split(count, 1))
        return generate(self.generator, latents.flatten(1, 2)).cpu().unflatten(1, latents.shape[1:3])

    def pool(self, n: int) -> torch.Tensor:
        self._pool_latent = self._latent("pool", n)
        with torch.no_grad():
            return self.generator(self._pool_latent).flatten(2)

    def cosines(self, x: torch.Tensor, full: MinibatchTransport) -> Also:
        return MatchedGradients(self.generator, self._pool_latent, x, full).cosines


class Real(Subject):
    """Training samples in place of generated ones, a random subset for each seed: the floor of every measure."""

    def __init__(self, data: StoredData, seeds: range, device: torch.device) -> None:
        super().__init__(data, seeds, torch.ones(len(seeds), dtype=torch.bool))
        self.device = device

    def samples(self, count: int) -> torch.Tensor:
        return training_samples(self.data, self.seeds, count)

    def pair(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return unused training samples, then unused held-out ones if the training set is small."""
        data, rest = self.data, self.data.heldout_size - count
        unused = torch.stack([training_order(data, seed)[count : 3 * count] for seed in self.seeds])
        heldout = torch.stack([count + random_order(rest, "reference held out", seed) for seed in self.seeds])
        sets = data.train_tensor(unused), data.heldout_tensor(heldout[:, : 2 * count - unused.shape[1]])
        first, second = torch.cat(sets, 1).split(count, 1)
        return first, second

    def against_training(self, count: int, first: int) -> torch.Tensor:
        orders = [random_order(first, "against training", seed)[:count] for seed in self.seeds]
        return self.data.heldout_tensor(torch.stack(orders)).expand(len(self.seeds), -1, -1, -1, -1)

    def neighbours(self, count: int, first: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Held-out samples in place of generated ones: training samples would be copies of themselves."""
        samples, heldout = heldout_halves(self.data, self.seeds, count, "neighbours", first)
        return samples, heldout

    def paths(self, count: int) -> torch.Tensor:
        """Straight paths between held-out samples."""
        ends = heldout_halves(self.data, self.seeds, count, "paths")
        return straight_paths(*(points(end) for end in ends)).unflatten(-1, self.data.sample_shape)

    def pool(self, n: int) -> torch.Tensor:
        return points(self.samples(n), 1).to(self.device)

    def cosines(self, x: torch.Tensor, full: MinibatchTransport) -> Also:
        return no_cosines
