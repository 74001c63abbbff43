"""The diversity loss against numpy, its gradient against differences, and what it does where spectra degenerate."""

import numpy as np
import pytest
import torch
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods import diversity as module
from pwgan.methods.diversity import diversity
from pwgan.methods.gdpp import GDPP, GDPPWGANGP
from pwgan.methods.nsgan import NonSaturatingGAN
from pwgan.methods.wgan_gp import WGANGP
from pwgan.networks.layers.initial import initialise
from pwgan.networks.mlp import MLP


def features(m, d, seed, seeds=2):
    return torch.randn(seeds, m, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def by_numpy(real, fake):
    """Both terms of one seed from singular values, not from the kernel."""
    spectra = []
    for phi in (real, fake):
        vectors, values, _ = np.linalg.svd(phi / np.linalg.norm(phi, axis=1, keepdims=True), full_matrices=False)
        spectra.append((values**2, vectors))
    (real_values, real_vectors), (fake_values, fake_vectors) = spectra
    shares = (real_values - real_values.min()) / (real_values.max() - real_values.min())
    weights = fake_values / (fake_values + 1e-7 * len(fake))
    cosines = np.abs((real_vectors * fake_vectors).sum(0))
    return -(shares * weights * cosines).sum(), ((real_values - fake_values) ** 2).mean()


@pytest.mark.parametrize(("m", "d"), [(5, 9), (9, 5), (6, 6)])
def test_both_terms_are_those_of_numpy(m, d):
    real, fake = features(m, d, 0), features(m, d, 1)
    found = diversity(real, fake)
    expected = np.transpose([by_numpy(x, y) for x, y in zip(real.numpy(), fake.numpy(), strict=True)])
    np.testing.assert_allclose(torch.stack(found), expected, rtol=1e-8)


def by_kernel(real, fake):
    """Both terms from the eigenvectors of the m x m kernel, all m of them, with the gradient of each."""
    rank, broad = min(real.shape[1:]), module.BROADENING
    spectra = []
    for phi in (real, fake):
        phi = torch.nn.functional.normalize(phi, dim=-1)
        kernel = phi @ phi.mT
        values, vectors = torch.linalg.eigh(kernel.detach())
        change = vectors.mT @ (kernel - kernel.detach()) @ vectors
        gaps = values[:, None, :] - values[:, :, None]
        turned = vectors + vectors @ (change * gaps / (gaps**2 + broad**2))
        spectra.append(((values + change.diagonal(dim1=1, dim2=2))[:, -rank:], turned[:, :, -rank:]))
    (real_values, real_vectors), (fake_values, fake_vectors) = spectra
    least = 1e-7 * real.shape[1]
    lowest, highest = real_values.amin(1, keepdim=True), real_values.amax(1, keepdim=True)
    clear = fake_values.detach().clamp(min=0)
    weights = (real_values - lowest) / (highest - lowest) * clear / (clear + least)
    cosines = (real_vectors * fake_vectors).sum(1)
    return -(weights * cosines.abs()).sum(1), (real_values - fake_values).square().mean(1)


@pytest.mark.parametrize(("m", "d", "spanned"), [(5, 9, 9), (9, 9, 9), (40, 6, 6), (40, 12, 5), (12, 40, 5)])
def test_values_and_gradients_are_those_of_the_whole_kernel(m, d, spanned):
    real = features(m, d, 0)
    fake = features(m, spanned, 1) @ torch.eye(spanned, d, dtype=torch.float64)
    found, expected = [], []
    for terms, compute in ((found, diversity), (expected, by_kernel)):
        for of in (0, 1):
            given = fake.clone().requires_grad_()
            term = compute(real, given)[of]
            terms += [term.detach(), *torch.autograd.grad(term.sum(), given)]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8)


def harmonic(share):
    """Twelve rows of norm 1 and four columns: phi^T phi = diag(6 a, 6 a, 6 b, 6 b), a = ``share``, a + b = 1."""
    angle = torch.arange(12, dtype=torch.float64) * torch.pi / 6
    waves = [share**0.5 * wave(angle) for wave in (torch.cos, torch.sin)]
    waves += [(1 - share) ** 0.5 * wave(2 * angle) for wave in (torch.cos, torch.sin)]
    return torch.stack(waves, 1)


def test_where_eigenvalues_repeat_the_magnitude_has_the_gradient_of_their_sum():
    fake = harmonic(0.7).expand(2, -1, -1).clone().requires_grad_()
    magnitude = diversity(harmonic(0.6).expand(2, -1, -1), fake)[1]
    torch.testing.assert_close(magnitude, torch.full((2,), 0.36, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(magnitude.sum(), fake)
    # M = (1/4) sum_i (l_i - l_i^real)^2 and dl_i = 2 (dphi u_i)^T phi u_i, less the part along each row of norm 1.
    row = harmonic(0.7)
    raised = row * torch.tensor([0.6, 0.6, -0.6, -0.6], dtype=torch.float64)
    expected = raised - (raised * row).sum(1, keepdim=True) * row
    torch.testing.assert_close(gradient, expected.expand(2, -1, -1))


def test_equal_batches_are_as_alike_as_they_can_be():
    real = features(6, 4, 0)
    structure, magnitude = diversity(real, real)
    values = np.linalg.svd(torch.nn.functional.normalize(real, dim=-1), compute_uv=False) ** 2
    shares = (values - values.min(1, keepdims=True)) / (values.max(1) - values.min(1))[:, None]
    np.testing.assert_allclose(structure, -(shares * values / (values + 6e-7)).sum(1))
    np.testing.assert_allclose(magnitude, 0, atol=1e-20)


@pytest.mark.parametrize(("m", "d"), [(5, 4), (5, 5), (4, 7)])
def test_the_gradient_is_exact_where_eigenvalues_are_apart(m, d, monkeypatch):
    monkeypatch.setattr(module, "BROADENING", 1e-9)
    monkeypatch.setattr(module, "FADING", 1e-15)
    real, fake = features(m, d, 0), features(m, d, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: diversity(real, y), (fake,))


def test_broadening_changes_little_where_eigenvalues_are_apart(monkeypatch):
    real, fake = features(5, 8, 0), features(5, 8, 1).requires_grad_()
    (broad,) = torch.autograd.grad(diversity(real, fake)[0].sum(), fake)
    monkeypatch.setattr(module, "BROADENING", 1e-9)
    (exact,) = torch.autograd.grad(diversity(real, fake)[0].sum(), fake)
    torch.testing.assert_close(broad, exact, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("m", "d"), [(9, 6), (6, 9), (32, 16)])
def test_rounding_of_float32_features_changes_little_also_where_they_span_less(m, d):
    real = features(m, d, 0).float()
    # Three dimensions: all other eigenvalues are 0 but for rounding, and some of the real ones are not.
    fake = (features(m, 3, 1) @ features(3, d, 2)).float()
    found = []
    for seed in range(5):
        ulp = torch.finfo(torch.float32).eps * features(m, d, 10 + seed).sign().float()
        rounded = (fake * (1 + ulp)).requires_grad_()
        structure, magnitude = diversity(real, rounded)
        assert structure.dtype == magnitude.dtype == torch.float32
        (gradient,) = torch.autograd.grad((structure + magnitude).sum(), rounded)
        found.append((structure.detach(), magnitude.detach(), gradient))
    (structure, magnitude, gradient), *others = found
    assert structure.max() < -0.1 and magnitude.min() > 0.1
    for again in others:
        torch.testing.assert_close(again[0], structure, rtol=1e-4, atol=0)
        torch.testing.assert_close(again[1], magnitude, rtol=1e-4, atol=0)
        assert (again[2] - gradient).norm() < 1e-3 * gradient.norm()


def collapsed(m, d):
    return torch.ones(2, m, d, dtype=torch.float64)


def repeated(m, d):
    """Orthonormal rows as far as there are any: every eigenvalue is 1 or as often met."""
    return torch.eye(d, dtype=torch.float64)[torch.arange(m) % d].expand(2, -1, -1).clone()


@pytest.mark.parametrize("make", [collapsed, repeated])
@pytest.mark.parametrize(("m", "d"), [(4, 8), (8, 8), (12, 5), (1, 3), (3, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_where_eigenvalues_repeat(make, m, d, dtype):
    for real in (features(m, d, 0), make(m, d)):
        fake = make(m, d).to(dtype).requires_grad_()
        structure, magnitude = diversity(real.to(dtype), fake)
        (gradient,) = torch.autograd.grad((structure + magnitude).sum(), fake)
        assert structure.isfinite().all() and magnitude.isfinite().all() and gradient.isfinite().all()


def test_the_real_side_is_held_fixed():
    real, fake = features(4, 6, 0).requires_grad_(), features(4, 6, 1).requires_grad_()
    sum(diversity(real, fake)).sum().backward()
    assert real.grad is None and fake.grad.norm() > 0


def test_a_seed_without_finite_features_is_nan_and_its_neighbour_exact():
    real, fake = features(4, 6, 0), features(4, 6, 1)
    sound = diversity(real, fake)
    for bad in (torch.nan, torch.inf):
        for side in (real, fake):
            spoilt = side.clone()
            spoilt[0, 2, 3] = bad
            pair = (spoilt, fake) if side is real else (real, spoilt)
            for found, expected in zip(diversity(*pair), sound, strict=True):
                assert found[0].isnan() and torch.equal(found[1:], expected[1:])


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def made(request):
    """Return networks of three seeds and a batch."""
    network, dtype = MLP(width=6, depth=2, latent_dim=3), request.param
    seeds = range(3)
    generator, critic = network.build(seeds, (2,), "none")
    for role, net in (("generator", generator), ("critic", critic)):
        initialise(net, seeds, role)
        net.to(dtype)
    rng = torch.Generator().manual_seed(0)
    real, latent = (torch.randn(3, 9, d, generator=rng).to(dtype) for d in (2, 3))

    def batch(rows=slice(None)):
        index = torch.arange(9).expand(3, -1)
        share = torch.full((3, 9), 0.5, dtype=dtype)[rows]
        return Batch(real[rows], index[rows], latent[rows], generator(latent)[rows], lambda *shape: share)

    return Nets(generator, critic), batch


@pytest.mark.parametrize(("method", "base"), [(GDPP, NonSaturatingGAN), (GDPPWGANGP, WGANGP)])
def test_it_is_added_to_the_generator_s_loss_alone(made, method, base):
    nets, batch = made
    own = method(structure=0.5, magnitude=0.25)
    given = batch()
    assert torch.equal(own.critic_loss(nets, given), base().critic_loss(nets, given))
    structure, magnitude = diversity(nets.critic.features(given.real), nets.critic.features(given.fake))
    expected = base().generator_loss(nets, given) + 0.5 * structure + 0.25 * magnitude
    torch.testing.assert_close(own.generator_loss(nets, given), expected)
    without = method(structure=0, magnitude=0).generator_loss(nets, given)
    torch.testing.assert_close(without, base().generator_loss(nets, given))


class One(nn.Module):
    """One seed's critic of several."""

    def __init__(self, critic, seed):
        super().__init__()
        self.critic, self.seed = critic, seed

    def features(self, x):
        return self.critic.features(x.expand(3, *x.shape[1:]))[self.seed : self.seed + 1]

    def forward(self, x):
        return self.critic(x.expand(3, *x.shape[1:]))[self.seed : self.seed + 1]


@pytest.mark.parametrize("method", [GDPP(), GDPPWGANGP()])
def test_seeds_together_are_each_alone(made, method):
    # Alone and together, a seed's features may differ in their last bits. Noise of that size changes a float32 loss by
    # 2e-6 and its gradient by 2e-4, and those of float64 by 5e-11 and 2e-10.
    nets, batch = made
    together = method.generator_loss(nets, batch())
    parameters = list(nets.generator.parameters())
    whole = torch.autograd.grad(together.sum(), parameters)
    close, near = {torch.float32: (5e-5, 2e-3), torch.float64: (1e-9, 1e-8)}[together.dtype]
    for seed in range(3):
        rows = slice(seed, seed + 1)
        loss = method.generator_loss(Nets(nets.generator, One(nets.critic, seed)), batch(rows))
        assert loss.dtype == together.dtype
        torch.testing.assert_close(loss, together[rows], rtol=close, atol=0)
        for a, b in zip(whole, torch.autograd.grad(loss.sum(), parameters), strict=True):
            assert (a[seed] - b[seed]).norm() <= near * b[seed].norm()
            assert not b[[s for s in range(3) if s != seed]].any()
