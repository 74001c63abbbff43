"""The networks of a cell: which ones depends on its method."""

from __future__ import annotations

from torch import nn

from pwgan.cells import Training
from pwgan.methods import AdversarialMethod, FlowMethod
from pwgan.networks.layers.flow import Flow


def build_networks(cell: Training, shape: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
    """Return the generator and the critic of a cell, not yet initialised; without a critic it is not of use.

    shape: of a sample. The generator of a ``FlowMethod`` is a ``Flow`` over the velocity network.
    """
    method = cell.build_method()
    if isinstance(method, FlowMethod):
        return Flow(cell.network.build_velocity(cell.seed_range, shape), shape, method.ode_steps), nn.Identity()
    if not isinstance(method, AdversarialMethod):
        return cell.network.build(cell.seed_range, shape, "none")
    generator, _ = cell.network.build(cell.seed_range, shape, method.critic_norm)
    _, critic = cell.network.build(cell.seed_range, method.critic_shape(shape), method.critic_norm)
    return generator, critic
