"""What a GPU has to do: match as a CPU does, train every method, go on from a checkpoint, measure."""

import numpy as np
import pandas as pd
import pytest
import torch

from pwgan.data import Split
from pwgan.data.store import read_data, write_data
from pwgan.measures.measuring import Measuring
from pwgan.measures.memorization import nearest_distances
from pwgan.measures.subjects import Generated
from pwgan.methods import FlowMethod, methods
from pwgan.networks.dcgan import DCGAN
from pwgan.study import parse_study
from pwgan.training.draws import Draws
from pwgan.training.loop import Trainer
from pwgan.training.run import generate, latent_samples, load_generator, train
from pwgan.transport.assignment import match, solve
from pwgan.transport.cost import cost
from pwgan.transport.empirical import wasserstein
from pwgan.transport.minibatch import minibatch_wasserstein

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")
CPU = torch.device("cpu")


def cloud(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def cell(tiny):
    """Return the maker of the training of one block of seeds."""

    def make(method="pwgan", network=None, **changes):
        study = parse_study(tiny(methods={method: {}}, **changes))
        training = next(iter(study.blocks.values())).training
        return training.model_copy(update={"network": network}) if network else training

    return make


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    pixels = np.random.default_rng(0).integers(0, 256, (320, 1, 8, 8), dtype=np.uint8)
    path = tmp_path_factory.mktemp("data") / "images.safetensors"
    write_data(path, Split(pixels[:256], pixels[256:]), {"name": "images"})
    return read_data(path)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (4, 7), (8, 64), (3, 300)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gpu_finds_a_matching_of_the_same_cost(shape, dtype):
    batch, n = shape
    costs = cost(cloud(batch, n, 3).to(dtype), cloud(batch, n, 4)[..., :3].to(dtype))
    columns = match(costs.to(CUDA))
    assert columns.is_cuda and columns.dtype == torch.int64
    assert torch.equal(columns.sort(-1).values.cpu(), torch.arange(n).expand(batch, n))
    found = costs.gather(-1, columns.cpu().unsqueeze(-1)).double().sum((-2, -1))
    best = costs.gather(-1, match(costs).unsqueeze(-1)).double().sum((-2, -1))
    torch.testing.assert_close(found, best, rtol=1e-5, atol=1e-5)


def test_the_proof_of_a_matching_holds_on_a_gpu():
    costs = cost(cloud(4, 50, 3), cloud(4, 50, 3) + 1).double()
    there, here = solve(costs.to(CUDA)), solve(costs)
    torch.testing.assert_close(there.value.cpu(), here.value, rtol=1e-6, atol=0)
    assert (there.gap.abs() < 1e-6).all() and there.gap.is_cuda
    slack = costs.to(CUDA) - there.row_potential.unsqueeze(-1) - there.column_potential.unsqueeze(-2)
    assert slack.min() > -1e-9


def test_distances_are_those_of_a_cpu():
    x, y = cloud(3, 64, 4), cloud(3, 64, 5)[..., :4] + 0.5
    torch.testing.assert_close(
        wasserstein(x.to(CUDA), y.to(CUDA)).value.cpu(), wasserstein(x, y).value, rtol=1e-6, atol=0
    )
    batches = torch.arange(64).reshape(1, 8, 8).expand(3, -1, -1)
    there = minibatch_wasserstein(x.to(CUDA), y.to(CUDA), batches.to(CUDA), batches.to(CUDA)).value
    torch.testing.assert_close(there.cpu(), minibatch_wasserstein(x, y, batches, batches).value, rtol=1e-5, atol=0)


def test_draws_on_a_gpu_are_functions_of_seed_and_number_too():
    block, alone = Draws(range(4), CUDA), Draws(range(3, 4), CUDA)
    for number in (0, 20, 3):
        assert torch.equal(block.draw("latent", number, (5, 2))[3:], alone.draw("latent", number, (5, 2)))
    uniform = block.uniforms("uniform", 0)
    assert uniform(7).is_cuda and not torch.equal(uniform(7), uniform(7))


@pytest.mark.parametrize("kind", ["points", "images"])
@pytest.mark.parametrize("method", sorted(methods()))
def test_every_method_trains(cell, ring8, images, tmp_path, method, kind):
    network, data = (None, read_data(ring8)) if kind == "points" else (DCGAN(width=4, latent_dim=3), images)
    training = cell(method, network, steps=10)
    if network and issubclass(methods()[method], FlowMethod):
        training = training.model_copy(update={"network": network.for_flow((1, 8, 8))})
    train(training, data, tmp_path, CUDA)
    history = pd.read_parquet(tmp_path / "history.parquet")
    losses = history.loc[history["step"] < 10, "generator_loss"]
    assert len(losses) == 20 and np.isfinite(losses).all()
    assert history.loc[history["step"].isin([0, 5, 10]), "ewd"].notna().all()
    assert np.isfinite(np.load(tmp_path / "samples.npy")).all()


def test_the_first_losses_are_finite_and_the_initial_weights_those_of_a_cpu(cell, ring8, tmp_path):
    data = read_data(ring8)
    here, there = (Trainer(cell("nsgan"), data, device) for device in (CPU, CUDA))
    for own, other in zip(here.state.nets.generator.parameters(), there.state.nets.generator.parameters(), strict=True):
        assert other.is_cuda and torch.equal(own, other.cpu())
    assert torch.equal(here.batches.batch(3).index, there.batches.batch(3).index.cpu())
    torch.testing.assert_close(here.batches.batch(3).real, there.batches.batch(3).real.cpu())


@pytest.mark.parametrize("method", ["wgan_gp", "pwgan"])
def test_an_interrupted_run_resumes_from_its_checkpoint(cell, ring8, tmp_path, monkeypatch, caplog, method):
    caplog.set_level("INFO", logger="pwgan")
    training, data = cell(method), read_data(ring8)
    train(training, data, tmp_path / "whole", CUDA)
    descend = Trainer._descend

    def stopping(self, network, losses):
        if self.state.step == 12:
            raise KeyboardInterrupt
        descend(self, network, losses)

    monkeypatch.setattr(Trainer, "_descend", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(training, data, tmp_path / "stopped", CUDA)
    monkeypatch.setattr(Trainer, "_descend", descend)
    train(training, data, tmp_path / "stopped", CUDA)
    assert "resuming from step 10" in caplog.text
    whole, stopped = (pd.read_parquet(tmp_path / name / "history.parquet") for name in ("whole", "stopped"))
    # A GPU adds up in no fixed order: what went on is the same run up to rounding.
    pd.testing.assert_frame_equal(whole, stopped, rtol=1e-3)


def test_a_diverged_seed_harms_no_other(cell, ring8, tmp_path, monkeypatch):
    cls = methods()["pwgan"]
    original = cls.generator_loss

    def ruined(self, nets, batch):
        losses = original(self, nets, batch).clone()
        losses[1] = losses[1] * torch.nan
        return losses

    monkeypatch.setattr(cls, "generator_loss", ruined)
    state = Trainer(cell(steps=8), read_data(ring8), CUDA).run(tmp_path / "checkpoint.pt")
    assert state.fate.tolist() == [0, 2] and state.step == 8
    assert all(parameter[0].isfinite().all() for parameter in state.nets.generator.parameters())


def test_nearest_distances_are_those_of_a_cpu():
    x, y = cloud(300, 40), cloud(9000, 40)  # more than a block of columns
    found = nearest_distances(x.to(CUDA), y, 3)
    assert not found.is_cuda
    torch.testing.assert_close(found, nearest_distances(x, y, 3))
    assert (nearest_distances(y[:5].to(CUDA), y) == 0).all()


def test_measures_are_those_of_a_cpu(tiny, ring8, tmp_path):
    (cell,) = parse_study(tiny(methods={"pwgan": {}}, steps=5)).blocks.values()
    data, training = read_data(ring8), cell.training
    train(training, data, tmp_path, CUDA)
    values, bias = {}, {}
    for device in (CPU, CUDA):
        generator = load_generator(tmp_path / "generator.safetensors", training, device)
        subject = Generated(data, generator, training.seed_range, 3, torch.ones(2, dtype=torch.bool))
        measuring = Measuring(subject, data, cell.measures, cell.features, None, device)
        measuring.run()
        values[device.type], bias[device.type] = pd.DataFrame(measuring.values), pd.DataFrame(measuring.bias_rows)
    pd.testing.assert_frame_equal(values["cpu"], values["cuda"], rtol=1e-3)
    pd.testing.assert_frame_equal(bias["cpu"], bias["cuda"], rtol=1e-3, atol=1e-5)
    latents = latent_samples(training.seed_range, "shown", 1000, 3)
    shown = generate(load_generator(tmp_path / "generator.safetensors", training, CPU), latents)
    np.testing.assert_allclose(np.load(tmp_path / "samples.npy"), shown, rtol=1e-3, atol=1e-4)
