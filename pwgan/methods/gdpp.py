"""GDPP: a generator that also matches the diversity of real mini-batches, on a GAN and on a WGAN-GP."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

from pydantic import NonNegativeFloat

from pwgan.lazy import F, torch
from pwgan.methods.base import Batch, Nets
from pwgan.methods.nsgan import NonSaturatingGAN
from pwgan.methods.wgan_gp import WGANGP

BROADENING = 1e-3  # of 1 / gap, for eigenvalues that add up to the mini-batch size
FADING = 1e-7  # of the mini-batch size: eigenvalues that float32 features tell from 0 to half of their digits


class GDPP(NonSaturatingGAN):
    """GAN with the diversity loss of determinantal point processes (Elfeki et al., "GDPP", 2019, section 4).

    The generator minimises  -E log D(G(z)) + structure S + magnitude M  (see ``diversity``), where the discriminator's
    last hidden layer gives the features of real and generated mini-batches. Deviations from the paper:

    - M is the mean of squared differences of eigenvalues with weight 1e-4 by default, and features have norm 1, as in
      the authors' code; the paper adds up absolute differences of unweighted ones.
    - |cos| in place of cos: an eigenvector has no sign.
    - Only the min(m, d) largest eigenvalues count, d features: all others are 0, and their eigenvectors arbitrary. For
      the same reason |cos| fades out where an eigenvalue of generated features is rounding, and spectra are float64.
    - Gradients of eigenvectors are broadened where eigenvalues (nearly) coincide, and so stay finite.
    - The generator's loss is the non-saturating one, as in the authors' code.
    """

    name: ClassVar[str] = "gdpp"
    structure: NonNegativeFloat = 1.0
    magnitude: NonNegativeFloat = 1e-4

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E log D(G(z)) + diversity loss."""
        return super().generator_loss(nets, batch) + _diversity(nets, batch, self.structure, self.magnitude)


class GDPPWGANGP(WGANGP):
    """WGAN-GP with the diversity loss of ``gdpp`` added to the generator's, with the same deviations."""

    name: ClassVar[str] = "gdpp_wgan_gp"
    structure: NonNegativeFloat = 1.0
    magnitude: NonNegativeFloat = 1e-4

    def generator_loss(self, nets: Nets, batch: Batch) -> torch.Tensor:
        """-E f(G(z)) + diversity loss."""
        return super().generator_loss(nets, batch) + _diversity(nets, batch, self.structure, self.magnitude)


def _diversity(nets: Nets, batch: Batch, structure: float, magnitude: float) -> torch.Tensor:
    features = cast(Callable[[torch.Tensor], torch.Tensor], nets.critic.features)
    with torch.no_grad():
        real = features(batch.real)
    terms = diversity(real, features(batch.fake))
    return structure * terms[0] + magnitude * terms[1]


def diversity(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compare the spectra of two mini-batches: structure and magnitude of the diversity loss.

    With phi the features, rows of norm 1, L = phi phi^T, and its r = min(m, d) largest eigenpairs (l_i, v_i):
    S = -sum_i n(l_i^real) w_i |cos(v_i^real, v_i^fake)| and M = (1/r) sum_i (l_i^real - l_i^fake)^2.
    n is the min-max normalisation to [0, 1]; w_i = l_i^fake / (l_i^fake + 1e-7 m), held fixed, is 1 but near 0.
    Rounding float32 features turns v_i by some 1e-7 sqrt(m / l_i), and so changes this term of S by 2e-4 at most.

    real, fake: (S, m, d) -> (S,) each of their dtype; NaN for a seed whose features are not finite. Gradients reach
    ``fake`` alone and are finite, also where eigenvalues repeat. Source: Elfeki et al., 2019, equations 4 and 5.
    """
    rank, least = min(real.shape[1:]), FADING * real.shape[1]
    phi = F.normalize(torch.stack([real.detach(), fake]).double(), dim=-1)
    kernels = phi @ phi.mT
    # A diverged seed gets any spectrum: LAPACK refuses NaN for all seeds at once.
    finite = kernels.flatten(2).isfinite().all(-1).all(0)
    (real_values, fake_values), (real_vectors, fake_vectors) = _largest(kernels.where(finite[:, None, None], 0), rank)
    lowest, highest = real_values.aminmax(dim=-1, keepdim=True)
    clear = fake_values.detach().clamp(min=0)
    weights = (real_values - lowest) / (highest - lowest).clamp(min=least) * clear / (clear + least)
    structure = -(weights * (real_vectors * fake_vectors).sum(1).abs()).sum(-1)
    magnitude = (real_values - fake_values).square().mean(-1)
    structure, magnitude = (torch.where(finite, term, torch.nan).to(fake.dtype) for term in (structure, magnitude))
    return structure, magnitude


def _largest(kernel: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest eigenvalues (..., count) of symmetric (..., m, m) and their eigenvectors (..., m, count).

    Their gradients are those of first-order perturbation theory, dl_i = v_i^T dL v_i and
    dv_i = sum_j v_j (v_j^T dL v_i) g / (g^2 + b^2), g = l_i - l_j, where b = 0 would be exact and infinite at g = 0.
    """
    values, vectors = torch.linalg.eigh(kernel.detach())
    change = vectors.mT @ (kernel - kernel.detach()) @ vectors  # zero, but for its gradient
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    turned = vectors + vectors @ (gaps / (gaps.square() + BROADENING**2) * change)
    return (values + change.diagonal(dim1=-2, dim2=-1))[..., -count:], turned[..., -count:]
