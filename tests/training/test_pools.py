"""Pools, second draws, decaying rates, moving averages and simultaneous steps in the training loop."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.methods.gan import GAN
from pwgan.methods.pwgan import PWGAN
from pwgan.training.loop import Trainer
from pwgan.training.run import load_generator, train
from pwgan.training.samples import generate

CPU = torch.device("cpu")
POOLED = pytest.mark.parametrize(
    ("method", "options"),
    [
        ("pwgan_pool", {"pool": 3}),
        ("pwgan_pool", {"pool": 3, "sampler": "stratified"}),
        ("pwgan_debiased", {"pool": 3}),
        ("pwgan_debiased", {}),
        ("imle", {"pool": 3, "candidates": 2}),
        ("imle", {"pool": 1, "candidates": 3, "sampler": "stratified"}),
    ],
)


class Stopped(Exception):
    """Stands for whatever ends a job."""


def stop_at(monkeypatch, step):
    descend = Trainer._descend

    def stopping(self, network, losses):
        if self.state.step == step:
            raise Stopped
        descend(self, network, losses)

    monkeypatch.setattr(Trainer, "_descend", stopping)
    return lambda: monkeypatch.setattr(Trainer, "_descend", descend)


def weights(folder, cell):
    return torch.cat([p.flatten() for p in load_generator(folder / "generator.safetensors", cell, CPU).parameters()])


def test_the_steps_of_a_pool_take_each_pair_of_one_matching_once(block, data):
    trainer = Trainer(block("pwgan_pool", {"pool": 3}).training, data, CPU)
    batches = [trainer.batches.batch(number) for number in range(6)]
    for pool in (batches[:3], batches[3:]):
        real = torch.cat([batch.real for batch in pool], 1)
        latent = torch.cat([batch.latent for batch in pool], 1)
        fake = generate(trainer.state.nets.generator, latent)
        for seed in range(2):
            costs = cdist(real[seed].double().numpy(), fake[seed].double().numpy())
            rows, columns = linear_sum_assignment(costs)
            assert np.trace(costs) == pytest.approx(costs[rows, columns].sum(), rel=1e-6)  # matched as a whole
            assert len(torch.unique(latent[seed], dim=0)) == 24  # each once
    assert not torch.equal(batches[0].latent, batches[3].latent)


def test_a_pool_s_latents_are_those_that_were_drawn(block, data):
    trainer = Trainer(block("pwgan_debiased", {"pool": 3}).training, data, CPU)
    trainer.batches.batch(3)
    for name, stream in (("first", "latent"), ("second", "second latent")):
        drawn, held = trainer.draws.draw(stream, 1, (24, 3)), trainer.state.pool[name]
        assert torch.equal(drawn.flatten(1).sort(1).values, held.flatten(1).sort(1).values)


@pytest.mark.parametrize("pool", [1, 3])
def test_each_sample_of_a_pool_takes_the_nearest_of_more_latents(block, data, pool):
    trainer = Trainer(block("imle", {"pool": pool, "candidates": 5}).training, data, CPU)
    for number in range(6):
        latents = trainer.draws.draw("latent", number // pool, (pool * 5 * 8, 3))
        fake = generate(trainer.state.nets.generator, latents)
        trainer.state.nets.generator.train()
        batch = trainer.batches.batch(number)
        assert batch.latent.shape == (2, 8, 3) and batch.fake.requires_grad
        for seed in range(2):
            nearest = cdist(batch.real[seed].double().numpy(), fake[seed].double().numpy()).argmin(1)
            assert torch.equal(batch.latent[seed], latents[seed, nearest])
        torch.testing.assert_close(batch.fake, trainer.state.nets.generator(batch.latent))


@POOLED
@pytest.mark.parametrize("step", [4, 9])
def test_a_run_that_stops_within_a_pool_resumes_bit_for_bit(block, data, tmp_path, monkeypatch, method, options, step):
    cell = block(method, options, steps=12, evaluate_every=step).training
    train(cell, data, tmp_path / "whole", CPU)
    resume = stop_at(monkeypatch, step + 1)  # the checkpoint at ``step`` holds a pool that is partly used
    with pytest.raises(Stopped):
        train(cell, data, tmp_path / "stopped", CPU)
    resume()
    train(cell, data, tmp_path / "stopped", CPU)
    assert torch.equal(weights(tmp_path / "whole", cell), weights(tmp_path / "stopped", cell))


def test_the_second_draw_is_another_one_of_the_same_generator(block, data):
    trainer = Trainer(block("pwgan_debiased").training, data, CPU)
    batch = trainer.batches.batch(2)
    expected = trainer.state.nets.generator(trainer.draws.draw("second latent", 2, (8, 3)))
    torch.testing.assert_close(batch.second, expected)
    assert batch.second.requires_grad and not torch.equal(batch.second, batch.fake)
    assert Trainer(block("pwgan").training, data, CPU).batches.batch(2).second is None


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("none", [1, 1, 1, 1]),
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)]),
    ],
)
def test_learning_rates_decay(block, data, tmp_path, monkeypatch, decay, expected):
    rates, descend = [], Trainer._descend

    def noting(self, network, losses):
        rates.append((network, self.state.optimisers[network].lr))
        descend(self, network, losses)

    monkeypatch.setattr(Trainer, "_descend", noting)
    options = {"lr_decay": decay, "generator_lr": 1e-3, "critic_lr": 2e-3}
    train(block("nsgan", options, steps=4, evaluate_every=4).training, data, tmp_path, CPU)
    assert [rate for network, rate in rates if network == "generator"] == pytest.approx([1e-3 * e for e in expected])
    assert [rate for network, rate in rates if network == "critic"] == pytest.approx([2e-3 * e for e in expected])


def test_the_moving_average_is_measured_and_does_not_change_the_training(block, data, tmp_path, monkeypatch):
    seen, step = [], Trainer._step

    def noting(self, network):
        step(self, network)
        if network == "generator":
            seen.append(torch.cat([p.detach().flatten() for p in self.state.nets.generator.parameters()]))

    monkeypatch.setattr(Trainer, "_step", noting)
    entries = {"nsgan": {}, "nsgan_ema": {"method": "nsgan", "ema": 0.8}}
    cells = [block(name, options, steps=5, evaluate_every=5).training for name, options in entries.items()]
    for name, cell in zip(("plain", "ema"), cells, strict=True):
        train(cell, data, tmp_path / name, CPU)
    plain, averaged = seen[:5], seen[5:]
    assert all(torch.equal(a, b) for a, b in zip(plain, averaged, strict=True))
    expected = weights_at_start(cells[1], data)
    for at_step in averaged:
        expected = 0.8 * expected + 0.2 * at_step
    torch.testing.assert_close(weights(tmp_path / "ema", cells[1]), expected, rtol=1e-5, atol=1e-6)
    assert torch.equal(weights(tmp_path / "plain", cells[0]), plain[-1])


def weights_at_start(cell, data):
    return torch.cat([p.detach().flatten() for p in Trainer(cell, data, CPU).state.nets.generator.parameters()])


def test_a_moving_average_resumes_bit_for_bit(block, data, tmp_path, monkeypatch):
    cell = block("pwgan_ema", {"method": "pwgan", "ema": 0.9}, steps=12, evaluate_every=4).training
    train(cell, data, tmp_path / "whole", CPU)
    resume = stop_at(monkeypatch, 6)
    with pytest.raises(Stopped):
        train(cell, data, tmp_path / "stopped", CPU)
    resume()
    train(cell, data, tmp_path / "stopped", CPU)
    assert torch.equal(weights(tmp_path / "whole", cell), weights(tmp_path / "stopped", cell))


def test_simultaneous_gradients_are_both_taken_before_either_network_changes(block, data):
    trainer = Trainer(block("gan", {"simultaneous": True}).training, data, CPU)
    nets, method = trainer.state.nets, trainer.method
    batch = trainer.batches.batch(0)
    networks = {"critic": nets.critic, "generator": nets.generator}
    losses = {"critic": method.critic_loss(nets, batch), "generator": method.generator_loss(nets, batch)}
    expected = {
        name: torch.autograd.grad(losses[name].sum(), list(net.parameters()), retain_graph=True)
        for name, net in networks.items()
    }
    before = {name: [p.clone() for p in net.parameters()] for name, net in networks.items()}
    found = trainer._iterate()
    torch.testing.assert_close(found, torch.stack([losses["critic"], losses["generator"]]).detach())
    for name, net in networks.items():
        for parameter, gradient, old in zip(net.parameters(), expected[name], before[name], strict=True):
            torch.testing.assert_close(parameter.grad, gradient)
            assert not torch.equal(parameter, old)


def test_simultaneous_steps_are_one_of_each():
    with pytest.raises(Exception, match="simultaneous takes one step of each network; got critic_steps: 5"):
        GAN(simultaneous=True, critic_steps=5)


@pytest.mark.parametrize(("steps", "expected"), [(None, None), (70, 70), ({16: 90, 64: 30}, 30), ({16: 90}, None)])
def test_a_method_has_its_own_number_of_iterations(steps, expected):
    assert PWGAN(steps=steps).steps_at(64) == expected
