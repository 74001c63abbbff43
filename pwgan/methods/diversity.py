"""The diversity loss of GDPP: a distance between the spectra of two mini-batches of features."""

from __future__ import annotations

from pwgan.lazy import F, torch

BROADENING = 1e-3  # regularises 1 / gap; eigenvalues sum to the mini-batch size
FADING = 1e-7  # times the mini-batch size: scale below which eigenvalues of float32 features are mostly rounding


def diversity(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Structure and magnitude terms of the diversity loss between two mini-batches.

    With phi the features, rows of norm 1, L = phi phi^T, and its r = min(m, d) largest eigenpairs (l_i, v_i):
    S = -sum_i n(l_i^real) w_i |cos(v_i^real, v_i^fake)| and M = (1/r) sum_i (l_i^real - l_i^fake)^2.
    n is the min-max normalisation to [0, 1]; w_i = l_i^fake / (l_i^fake + 1e-7 m), held fixed, is 1 except near 0.
    Rounding of float32 features perturbs v_i by about 1e-7 sqrt(m / l_i), and this term of S by at most 2e-4.

    real, fake: (S, m, d) -> (S,) each of their dtype; NaN for a seed whose features are not finite. Gradients reach
    ``fake`` alone and are finite, also where eigenvalues repeat. Source: Elfeki et al., 2019, equations 4 and 5.
    """
    least = FADING * real.shape[1]
    phi = F.normalize(torch.stack([real.detach(), fake]).double(), dim=-1)
    # Diverged seeds are replaced by 0: a NaN in one seed makes LAPACK fail for the whole batch.
    finite = phi.flatten(2).isfinite().all(-1).all(0)
    phi = phi.where(finite[:, None, None], 0)
    (real_values, fake_values), (real_vectors, fake_vectors) = _spectrum(phi.detach())
    fake_values, cosines = _perturbed(fake_values, fake_vectors, phi[1], real_vectors)
    lowest, highest = real_values.aminmax(dim=-1, keepdim=True)
    clear = fake_values.detach().clamp(min=0)
    weights = (real_values - lowest) / (highest - lowest).clamp(min=least) * clear / (clear + least)
    structure = -(weights * cosines.abs()).sum(-1)
    magnitude = (real_values - fake_values).square().mean(-1)
    structure, magnitude = (torch.where(finite, term, torch.nan).to(fake.dtype) for term in (structure, magnitude))
    return structure, magnitude


def _spectrum(phi: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the r = min(m, d) largest eigenvalues (..., r) of phi phi^T and orthonormal eigenvectors (..., m, r).

    If m > d, it is Q (R R^T) Q^T with phi = Q R, and only the d x d matrix is decomposed. The Gram matrix phi^T phi has
    the same eigenvalues, but would lose half of the digits of eigenvectors phi u / sqrt(l) where l is small.
    """
    if phi.shape[-2] <= phi.shape[-1]:
        return torch.linalg.eigh(phi @ phi.mT)
    basis, triangle = torch.linalg.qr(phi)
    values, vectors = torch.linalg.eigh(triangle @ triangle.mT)
    return values, basis @ vectors


def _perturbed(
    values: torch.Tensor, vectors: torch.Tensor, phi: torch.Tensor, others: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues l_i and scalar products of each eigenvector v_i with o_i, (..., r), with gradients to phi.

    Those are of first-order perturbation theory: dl_i = v_i^T dL v_i and dv_i = sum_j v_j (v_j^T dL v_i) f(l_i - l_j),
    f(g) = g / (g^2 + b^2), over all m eigenvectors, where b = 0 is exact but infinite at g = 0. The m - r beyond the
    span of phi, where l_j = 0, together give f(l_i) (P dphi) phi^T v_i, P the projection orthogonal to ``vectors``.
    """
    along = vectors.mT @ phi
    change = along @ along.mT
    change = change - change.detach()  # zero in value, as ``beyond`` is; they carry the gradient
    overlaps = others.mT @ vectors
    turned = overlaps * change.mT * _damped(values.unsqueeze(-1) - values.unsqueeze(-2))
    cosines = overlaps.diagonal(dim1=-2, dim2=-1) + turned.sum(-1)
    if phi.shape[-2] > phi.shape[-1]:
        beyond = (others - vectors @ overlaps.mT).mT @ phi
        cosines = cosines + ((beyond - beyond.detach()) * along.detach()).sum(-1) * _damped(values)
    return values + change.diagonal(dim1=-2, dim2=-1), cosines


def _damped(gap: torch.Tensor) -> torch.Tensor:
    """1 / gap, but finite at 0."""
    return gap / (gap.square() + BROADENING**2)
