"""The network of PacGAN, beside the same layers of torch for one seed."""

import torch
import torch.nn.functional as F
from torch import nn

from pwgan.networks.maxout import Maxout

SEEDS = range(3)
OPTIONS = Maxout(width=6, depth=2, critic_width=5, critic_depth=2, pieces=3, latent_dim=4)


def built() -> tuple[nn.Module, nn.Module]:
    pair = OPTIONS.build(SEEDS, (2,), "batch")
    for role, network in zip(("generator", "critic"), pair, strict=True):
        OPTIONS.model_copy(update={"init_scale": 0.3}).initialise(network, SEEDS, role)
    return pair


@torch.no_grad()
def test_each_seed_is_a_plain_network():
    generator, critic = built()
    z = torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(0))
    made = generator(z)
    scores = critic(made)
    assert made.shape == (3, 7, 2) and scores.shape == (3, 7)
    for s in SEEDS:
        hidden = z[s]
        for layer, norm in zip(generator.layers, generator.norms, strict=True):
            hidden = hidden @ layer.weight[s] + layer.bias[s]
            hidden = F.relu(F.batch_norm(hidden, None, None, norm.weight[s], norm.bias[s], training=True))
        torch.testing.assert_close(made[s], hidden @ generator.last.weight[s] + generator.last.bias[s])
        hidden = made[s]
        for layer in critic.layers:
            affine = hidden @ layer.weight[s] + layer.bias[s]
            width = affine.shape[1] // 3
            hidden = torch.stack([affine[:, piece * width : (piece + 1) * width] for piece in range(3)]).amax(0)
        torch.testing.assert_close(scores[s], (hidden @ critic.score.weight[s] + critic.score.bias[s])[:, 0])


def test_gradients_do_not_cross_seeds():
    generator, critic = built()
    critic(generator(torch.randn(3, 7, 4)))[1].square().sum().backward()
    for name, parameter in [*generator.named_parameters(), *critic.named_parameters()]:
        assert parameter.grad[0].count_nonzero() == 0 and parameter.grad[2].count_nonzero() == 0, name
        assert parameter.grad[1].count_nonzero() > 0 or (name.startswith("layers") and name.endswith("bias")), name


def test_the_weights_are_counted():
    generator, critic = built()
    matrices = [p for p in (*generator.parameters(), *critic.parameters()) if p.ndim == 3 and p.shape[1] > 1]
    assert OPTIONS.weights((2,)) == sum(p[0].numel() for p in matrices)
