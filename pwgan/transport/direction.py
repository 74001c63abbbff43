"""The direction of optimal transport at the samples: that of the steepest descent of the exact EWD."""

from __future__ import annotations

import torch

from pwgan.transport.empirical import wasserstein


def transport_direction(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the unit vectors from each y_j to its partner x_{pi*(j)} in the exact matching.

    For W = (1/n) sum_j ||x_{pi*(j)} - y_j||, the gradient at y_j is dW/dy_j = -(1/n) u_j, with
    u_j = (x_{pi*(j)} - y_j) / ||x_{pi*(j)} - y_j|| (envelope theorem), and u_j = 0 where the two coincide: moving every
    y_j along u_j lowers the EWD fastest.

    x, y: (..., n, d), finite -> (..., n, d), float64. Source: article D7.
    """
    with torch.no_grad():
        partner = wasserstein(x, y).matching.argsort(-1)
        return unit(x.double().gather(-2, partner.unsqueeze(-1).expand_as(x)) - y.double())


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Scale vectors (..., d) to length 1 in float64, 0 to 0."""
    vectors = vectors.double()
    length = vectors.norm(dim=-1, keepdim=True)
    return torch.where(length > 0, vectors / length, 0)
