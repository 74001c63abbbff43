"""The straightness of paths against closed forms, and of which generators it is recorded."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from pwgan.cells import Measures
from pwgan.data.store import read_data
from pwgan.measures.measuring import Measuring
from pwgan.measures.straightness import straightness
from pwgan.measures.subjects import Generated, Real
from pwgan.networks.layers.flow import Flow
from pwgan.networks.mlp import MLP
from pwgan.training.samples import latent_samples

CPU = torch.device("cpu")
ANGLES = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)


class Turning(nn.Module):
    """x' = w_s J x: at time t, x is turned by the angle w_s t."""

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return ANGLES[:, None, None] * torch.stack([-x[..., 1], x[..., 0]], -1)


class Level(nn.Module):
    """x' = c."""

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, 1.5)


def latents(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_translation_is_straight():
    assert straightness(Flow(Level(), (2,), 7), latents(2, 20, 2)).abs().max() < 1e-28


@pytest.mark.parametrize("batch", [512, 7])
def test_turns_of_different_angles(batch):
    # The chord is 2 r sin(w / 2) and the speed r w; int |chord - v|^2 dt = (r w)^2 - |chord|^2, since int v dt = chord.
    found = straightness(Flow(Turning(), (2,), 400), latents(3, 20, 2), batch)
    expected = [w**2 / (4 * math.sin(w / 2) ** 2) - 1 for w in ANGLES.tolist()]
    assert found.tolist() == pytest.approx(expected, rel=1e-3)


def test_a_speed_that_changes_is_not_straight():
    class Faster(nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return (2 * t).unsqueeze(-1).expand_as(x)

    # The chord is 1 in each coordinate: int (1 - 2 t)^2 dt = 1/3, and h^2 2/3 more by the trapezoidal rule.
    found = straightness(Flow(Faster(), (2,), 10), latents(1, 5, 2))
    assert found.item() == pytest.approx(1 / 3 + 0.01 * 2 / 3)


def test_it_is_recorded_of_flows_alone(ring8):
    data, seeds, network = read_data(ring8), range(3, 6), MLP(width=8, depth=2, latent_dim=2)
    flow = Flow(network.build_velocity(seeds, (2,)), (2,), 4)
    network.initialise(flow, seeds, "velocity")
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter[1] = torch.nan
    plain, _ = network.build(seeds, (2,), "none")
    network.initialise(plain, seeds, "generator")
    sound = torch.tensor([True, False, True])
    measures = Measures(groups=["straightness"], mode_samples=50)
    rows = []
    for subject in (
        Generated(data, flow, seeds, 2, sound),
        Generated(data, plain, seeds, 2, torch.ones(3, dtype=torch.bool)),
        Real(data, seeds, CPU),
    ):
        block = Measuring(subject, data, measures, [], None, CPU)
        block.run()
        rows.append(pd.DataFrame(block.values))
    assert rows[0]["measure"].tolist() == ["straightness@50"] * 3 and rows[0]["seed"].tolist() == [3, 4, 5]
    assert rows[0]["value"].isna().tolist() == [False, True, False]
    expected = straightness(flow, latent_samples(seeds, "measured", 50, 2))[0].item()
    assert rows[0]["value"][0] == pytest.approx(expected) and expected > 0
    assert rows[1].empty and rows[2].empty
