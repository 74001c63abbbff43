"""Hinge losses by hand, and the networks that have the norm. Its layers: tests/networks/test_spectral.py."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from pwgan.methods import Batch, Nets
from pwgan.methods.sngan import SNGAN
from pwgan.networks.dcgan import DCGAN
from pwgan.networks.layers.seeds import SpectralNorm
from pwgan.networks.mlp import MLP


class Known(nn.Module):
    """Scores are the first coordinates of the samples."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., 0]


def batch(real: np.ndarray, fake: np.ndarray) -> Batch:
    x, y = (torch.from_numpy(side).unsqueeze(-1) for side in (real, fake))
    return Batch(x, None, x, y.requires_grad_(), torch.rand)


SCORES = hnp.arrays(np.float64, (2, 5), elements=st.floats(-1e3, 1e3))


@settings(max_examples=25, deadline=None)
@given(SCORES, SCORES)
def test_hinge_losses(real, fake):
    nets, made = Nets(nn.Identity(), Known()), batch(real, fake)
    critic, generator = SNGAN().critic_loss(nets, made), SNGAN().generator_loss(nets, made)
    assert critic.shape == generator.shape == (2,)
    # Equation 16 is the negative of E min(0, -1 + f(x)) + E min(0, -1 - f(G(z))).
    expected = -(np.minimum(0, -1 + real).mean(1) + np.minimum(0, -1 - fake).mean(1))
    np.testing.assert_allclose(critic.detach(), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(generator.detach(), -fake.mean(1), rtol=1e-12, atol=1e-12)


def test_scores_beyond_the_margin_have_no_gradient():
    made = batch(np.zeros((1, 4)), np.array([[-2.0, -1.5, 0.0, 3.0]]))
    nets = Nets(nn.Identity(), Known())
    (pull,) = torch.autograd.grad(SNGAN().critic_loss(nets, made).sum(), made.fake)
    assert pull.flatten().tolist() == [0, 0, 0.25, 0.25]
    (pull,) = torch.autograd.grad(SNGAN().generator_loss(nets, made).sum(), made.fake)
    assert pull.flatten().tolist() == [-0.25] * 4


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_diverged_seed_shows_and_leaves_the_others_right(bad):
    network, losses = MLP(width=6, depth=2, latent_dim=3), []
    x, y = (torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(k)) for k in range(2))
    for spoil in (False, True):
        _, critic = network.build(range(3), (2,), SNGAN.critic_norm)
        network.initialise(critic, range(3), "critic")
        if spoil:
            with torch.no_grad():
                critic.layers[1].weight[1, 0, 0] = bad
        nets, made = Nets(nn.Identity(), critic), Batch(x, None, x, y, torch.rand)
        losses.append(torch.stack([SNGAN().critic_loss(nets, made), SNGAN().generator_loss(nets, made)]).detach())
    assert not losses[1][:, 1].isfinite().any()
    assert torch.equal(losses[0][:, [0, 2]], losses[1][:, [0, 2]])


@pytest.mark.parametrize(("options", "shape"), [(MLP(width=6, depth=2), (2,)), (DCGAN(width=2), (1, 8, 8))])
def test_networks_honour_the_norm(options, shape):
    _, critic = options.build(range(2), shape, SNGAN.critic_norm)
    options.initialise(critic, range(2), "critic")
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    before = critic.eval()(x)
    with torch.no_grad():
        for layer in critic.modules():
            if isinstance(getattr(layer, "norm", None), SpectralNorm):
                layer.weight *= 8  # and its biases stay
    torch.testing.assert_close(critic(x), before)
