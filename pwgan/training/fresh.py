"""Real mini-batches drawn anew from a mixture instead of from a training set."""

from __future__ import annotations

import torch

from pwgan.batches import samplers
from pwgan.batches.drawing import batches
from pwgan.data.store import StoredData, rows_of
from pwgan.training.draws import Draws


class FreshBatches:
    """The real mini-batches of one block of seeds, each a function of the seed and its number.

    The points of a batch are independent draws of sum_k w_k N(mode_k, sigma^2 I) or, for a sampler that oversamples,
    one of an epoch of ``oversample`` batches, as for generated samples.
    """

    def __init__(self, data: StoredData, sampler: str, batch_size: int, draws: Draws) -> None:
        assert data.modes is not None and data.weights is not None and data.sigma is not None
        self.sampler, self.batch_size, self.draws, self.sigma = sampler, batch_size, draws, data.sigma
        self.oversample = samplers()[sampler].oversample
        self.modes = torch.from_numpy(data.modes).to(draws.device)
        self.shares = torch.from_numpy(data.weights).to(draws.device).cumsum(0)
        self._epoch, self._dealt = -1, torch.empty(0)

    def batch(self, number: int) -> torch.Tensor:
        """Return batch ``number`` of every seed, (S, m, d) float32."""
        size, m = self.oversample, self.batch_size
        if size == 1:
            return self._points(number, m)
        epoch, place = divmod(number, size)
        if epoch != self._epoch:
            points = self._points(epoch, size * m)
            order = batches(self.sampler, points, m, [("fresh", seed, epoch) for seed in self.draws.seeds]).flatten(1)
            self._epoch, self._dealt = epoch, rows_of(points, order)
        return self._dealt[:, place * m : (place + 1) * m]

    def _points(self, number: int, count: int) -> torch.Tensor:
        place = self.draws.draw("real mode", number, (count,), "uniform").double()
        # The shares may add up to slightly less than 1.
        mode = torch.searchsorted(self.shares, place, right=True).clamp_max(len(self.modes) - 1)
        noise = self.draws.draw("real noise", number, (count, self.modes.shape[1]))
        return (self.modes[mode] + self.sigma * noise).float()
