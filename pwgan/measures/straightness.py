"""How straight the paths of a flow are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from pwgan.measures.names import MeasureName
from pwgan.measures.subjects import Generated
from pwgan.networks.layers.flow import Flow
from pwgan.training.samples import latent_samples

if TYPE_CHECKING:
    from pwgan.measures.measuring import Measuring


def measure_straightness(measuring: Measuring) -> None:
    """Record ``straightness@n`` of n paths of each seed's flow; generators that are no flows have none."""
    subject = measuring.subject
    if not isinstance(subject, Generated) or not isinstance(subject.generator, Flow):
        return
    count = min(measuring.measures.mode_samples, measuring.data.train_size)
    latent = latent_samples(subject.seeds, "measured", count, subject.latent_dim).to(subject.device)
    measuring.add(str(MeasureName("straightness", None, count)), straightness(subject.generator, latent))


@torch.no_grad()
def straightness(flow: Flow, latents: torch.Tensor, batch: int = 512) -> torch.Tensor:
    """Deviation of a flow's paths from straight lines of constant speed, relative to their length; 0 if there is none.

    E int_0^1 ||(x(1) - x(0)) - v(x(t), t)||^2 dt / E ||x(1) - x(0)||^2 along the paths x(t) from the latents, with the
    trapezoidal rule over the times 0, 1/n, ..., 1 of the flow's own n steps. With straight paths one Euler step is
    exact.

    latents (S, n, d) -> (S,) float64. Source: Liu et al., "Flow straight and fast", 2023, section 2.2, S(Z), which is
    not relative.
    """
    flow.eval()
    bent, length = (torch.zeros(len(latents), dtype=torch.float64, device=latents.device) for _ in range(2))
    for part in latents.split(batch, 1):
        chord = flow(part) - part.unflatten(-1, flow.shape)
        length += _total(chord)
        for k, x in enumerate(flow.path(part)):
            weight = (0.5 if k in (0, flow.steps) else 1) / flow.steps
            bent += weight * _total(chord - flow.velocity_at(x, k))
    return bent / length


def _total(vectors: torch.Tensor) -> torch.Tensor:
    """Sum of squared lengths of each seed's vectors, (S, m, *shape) -> (S,) float64."""
    return vectors.double().flatten(1).square().sum(-1)
