"""Entropic optimal transport between uniform weights, batched: Sinkhorn's iterations in the log domain."""

from __future__ import annotations

import torch

BLOCK = 5
"""Iterations between two exponentials of all costs."""


def entropic_cost(
    cost: torch.Tensor,
    epsilon: torch.Tensor,
    iterations: int,
    tau: torch.Tensor | None = None,
    unrolled: bool = False,
) -> torch.Tensor:
    """Cost of entropic transport, balanced or, with ``tau``, between marginals that need not be kept.

    min over p >= 0 of <p, c> + eps KL(p | a b^T), with p 1 = a = 1/n and p^T 1 = b = 1/k; with tau instead of these
    constraints + tau KL(p 1 | a) + tau KL(p^T 1 | b). KL(p | q) = sum p log(p / q) - p + q. The value is that of the
    dual at the potentials f, g of the last iteration, a lower bound that increases to the minimum,

        <a, f> + <b, g> + eps (1 - sum p),  p = a b^T exp((f + g - c) / eps),

    with tau (1 - exp(-f / tau)) in the place of f, and so for g. Balanced columns have exactly their weights, since the
    last step is theirs. The gradient to c is p, as the potentials are held fixed (envelope theorem); ``unrolled``
    differentiates the iterations too, which keeps all of them in memory.

    cost: (B, n, k), epsilon > 0 and tau > 0: (B,), in its units, without gradient -> (B,); NaN where a cost is not
    finite. Raises nothing. Source: Cuturi 2013, algorithm 1; Chizat et al. 2018, "Scaling algorithms for unbalanced
    optimal transport problems" (tau); Feydy et al. 2019, section 3.1, for the log domain.
    """
    with torch.set_grad_enabled(unrolled and torch.is_grad_enabled()):
        f, g = _potentials(cost, epsilon, iterations, tau)
    mass = ((f[:, :, None] + g[:, None, :] - cost) / epsilon[:, None, None]).exp().mean((1, 2))
    if tau is not None:
        f, g = (-tau[:, None] * torch.expm1(-side / tau[:, None]) for side in (f, g))
    return f.mean(1) + g.mean(1) + epsilon * (1 - mass)


def _potentials(
    cost: torch.Tensor, epsilon: torch.Tensor, iterations: int, tau: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Potentials f (B, n) and g (B, k) after that many iterations, each a step of the rows, then of the columns.

    In the first half of them, epsilon falls geometrically from the largest cost, in blocks of iterations that share one
    kernel exp((f + g - c) / eps). With tau, each ends with the constant that is best added to f and taken from g, to
    which the steps alone converge slowly. Source: Schmitzer 2019, "Stabilized sparse scaling algorithms for entropy
    regularized transport problems", for kernels that absorb potentials and for annealing; Sejourne et al. 2022,
    "Faster unbalanced optimal transport", for the constant.
    """
    start = (cost.detach().amax((1, 2)) / epsilon).clamp(min=1)
    f, g = torch.zeros_like(cost[:, :, 0]), torch.zeros_like(cost[:, 0])
    for first in range(0, iterations, BLOCK):
        last = min(first + BLOCK, iterations)
        eps = (epsilon * start ** max(0, 1 - 2 * last / iterations))[:, None]
        damping = -eps if tau is None else -eps * tau[:, None] / (tau[:, None] + eps)
        exponent = (f[:, :, None] + g[:, None, :] - cost) / eps[:, None]
        largest = exponent.detach().amax(2)
        kernel = (exponent - largest[:, :, None]).exp()
        kernel_f, kernel_g = f / eps - largest, g / eps
        for _ in range(first, last):
            # The mean, not the sum, weighs each sample with a or b.
            f = damping * (_log(kernel @ (g / eps - kernel_g).exp()[:, :, None] / g.shape[1])[:, :, 0] - kernel_f)
            g = damping * (_log((f / eps - kernel_f).exp()[:, None] @ kernel / f.shape[1])[:, 0] - kernel_g)
            if tau is not None:
                of_f, of_g = (_log_mean_exp(-side / tau[:, None], 1) for side in (f, g))
                shift = (tau * (of_f - of_g) / 2)[:, None]
                f, g = f + shift, g - shift
    return f, g


def _log(x: torch.Tensor) -> torch.Tensor:
    """log of a sum of exponentials, all of which may have underflowed: that step is then shorter."""
    return x.clamp(min=torch.finfo(x.dtype).tiny).log()


def _log_mean_exp(x: torch.Tensor, axis: int) -> torch.Tensor:
    """log of the mean of exp(x) along an axis."""
    largest = x.detach().amax(axis, keepdim=True)
    return (x - largest).exp().mean(axis).log() + largest.squeeze(axis)
