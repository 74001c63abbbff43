"""Methods with a flow in the training loop: their latents, batches without samples, pools, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.__main__ import main
from pwgan.errors import Refused
from pwgan.networks.layers.flow import Flow
from pwgan.study import parse_study
from pwgan.training.draws import Draws
from pwgan.training.loop import Trainer
from pwgan.training.run import load_generator, train
from pwgan.training.samples import generate, latent_samples

CPU = torch.device("cpu")
FLOWS = pytest.mark.parametrize("method", ["cfm", "ot_cfm"])


class Stopped(Exception):
    """Stands for whatever ends a job."""


def shades(width: int = 2) -> dict:
    return {"digits": {"network": {"name": "dcgan", "width": width, "latent_dim": 3}, "features": "none"}}


def test_the_latents_of_a_flow_alone_have_the_dimension_of_a_sample(tiny):
    methods = {"nsgan": {}, "cfm": {}, "mine": {"method": "ot_cfm", "pool": 2}}
    study = parse_study(tiny(methods=methods, datasets=tiny()["datasets"] | shades()))
    dims = {(t.dataset, t.method): t.network.latent_dim for t in (block.training for block in study.blocks.values())}
    assert {name: dims["ring8", name] for name in methods} == {"nsgan": 3, "cfm": 2, "mine": 2}
    assert {name: dims["digits", name] for name in methods} == {"nsgan": 3, "cfm": 64, "mine": 64}
    assert study.notes == []
    (note,) = parse_study(tiny(methods={"cfm": {}})).notes
    assert "datasets.ring8.network.latent_dim" in note


def test_what_a_flow_cannot_have_is_refused_when_it_is_planned(tiny):
    uniform = tiny(methods={"pwgan": {}, "cfm": {}})
    uniform["datasets"]["ring8"]["network"]["latent"] = "uniform"
    told = r"datasets.ring8.network: cfm: latent: uniform: .*allowed: normal; or restrict methods.cfm.datasets"
    with pytest.raises(Refused, match=told):
        parse_study(uniform)
    with pytest.raises(Refused, match="signal: mine has a flow for a generator"):
        parse_study(tiny(methods={"gan": {}, "mine": {"method": "cfm"}}, signal=["mine"]))
    with pytest.raises(Refused, match=r"methods\.cfm: ode_steps.*got 0"):
        parse_study(tiny(methods={"cfm": {"ode_steps": 0}}))


@pytest.mark.parametrize("sampler", ["random", "stratified"])
@pytest.mark.parametrize("options", [{"method": "cfm"}, {"method": "ot_cfm"}, {"method": "ot_cfm", "pool": 3}])
def test_no_step_of_training_integrates(block, data, monkeypatch, options, sampler):
    trainer = Trainer(block("flow", options | {"sampler": sampler}).training, data, CPU)

    def forbidden(self, latent):
        raise AssertionError("integrated")

    monkeypatch.setattr(Flow, "path", forbidden)
    losses = [trainer._generator_step(number) for number in range(4)]
    assert torch.stack(losses).isfinite().all()
    batch = trainer.batches.batch(1)
    assert batch.real.shape == (2, 8, 2) and batch.latent.shape == (2, 8, 2) and batch.fake.shape == (2, 0, 2)


@FLOWS
def test_latents_are_independent_draws_whatever_the_sampler(block, data, method):
    trainer = Trainer(block(method, {"sampler": "stratified"}).training, data, CPU)
    for number in (0, 5):
        assert torch.equal(trainer.batches.batch(number).latent, Draws(range(2), CPU).draw("latent", number, (8, 2)))


def test_the_pairs_of_a_pool_are_those_of_one_matching_with_the_noise(block, data):
    trainer = Trainer(block("ot_cfm", {"pool": 3}).training, data, CPU)
    batches = [trainer.batches.batch(number) for number in range(6)]
    drawn = Draws(range(2), CPU)
    for pool, number in ((batches[:3], 0), (batches[3:], 1)):
        real, paired = (torch.cat([getattr(batch, side) for batch in pool], 1) for side in ("real", "latent"))
        noise = drawn.draw("latent", number, (24, 2))
        for seed in range(2):
            _, columns = linear_sum_assignment(cdist(real[seed].double(), noise[seed].double(), "sqeuclidean"))
            assert torch.equal(paired[seed], noise[seed, columns])


@pytest.mark.parametrize("step", [4, 9])
def test_a_run_that_stops_within_a_pool_resumes_bit_for_bit(block, data, tmp_path, monkeypatch, step):
    cell = block("ot_cfm", {"pool": 3}, steps=12, evaluate_every=step).training
    descend = Trainer._descend

    def stopping(self, network, losses):
        if self.state.step == step + 1:  # the checkpoint at ``step`` holds a pool that is partly used
            raise Stopped
        descend(self, network, losses)

    train(cell, data, tmp_path / "whole", CPU)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_descend", stopping)
        with pytest.raises(Stopped):
            train(cell, data, tmp_path / "stopped", CPU)
    train(cell, data, tmp_path / "stopped", CPU)
    for name in ("generator.safetensors", "history.parquet", "samples.npy"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_a_diverged_seed_of_a_flow_leaves_the_bits_of_the_other(block, data, tmp_path):
    cell = block("ot_cfm", {"pool": 2}, steps=6).training
    states = []
    for spoil in (False, True):
        trainer = Trainer(cell, data, CPU)
        if spoil:
            with torch.no_grad():
                next(trainer.state.nets.generator.parameters())[1] = torch.nan
        states.append(trainer.run(tmp_path / f"{spoil}.pt"))
    sound, lost = states
    assert (lost.fate != 0).tolist() == [False, True]
    for own, other in zip(sound.nets.generator.parameters(), lost.nets.generator.parameters(), strict=True):
        assert torch.equal(own[0], other[0])


def test_images_are_made_by_a_convolutional_flow(block, images, tmp_path):
    cell = block("cfm_ema", {"method": "cfm", "ema": 0.5}, datasets=shades(), steps=4, evaluate_every=2).training
    train(cell, images, tmp_path, CPU)
    flow = load_generator(tmp_path / "generator.safetensors", cell, CPU)
    made = generate(flow, latent_samples(cell.seed_range, "shown", 64, 64))
    assert made.shape == (2, 64, 1, 8, 8)
    np.testing.assert_array_equal(np.load(tmp_path / "samples.npy"), made.numpy())


def test_every_measure_of_a_generator_is_one_of_a_flow(tiny, tmp_path):
    study = parse_study(tiny(methods={"pwgan": {}, "cfm": {}}, steps=4, evaluate_every=2))
    (stored,) = study.data_cells.values()
    file, found = tmp_path / "data.safetensors", {}
    assert main(["data", stored.model_dump_json(), "--output", str(file)]) == 0
    for block in study.blocks.values():
        t, folder = block.training, tmp_path / block.training.method
        arguments = ["--data", str(file), "--output", str(folder), "--device", "cpu"]
        assert main(["train", t.model_dump_json(), *arguments]) == 0
        assert main(["measure", block.model_dump_json(), *arguments]) == 0
        found[t.method] = pd.read_parquet(folder / "measures.parquet")
        assert pd.read_parquet(folder / "bias.parquet")["cosine_mean"].notna().any()
    names = {method: set(frame["measure"]) for method, frame in found.items()}
    assert names["cfm"] - names["pwgan"] == {"straightness@50"} and names["pwgan"] <= names["cfm"]
    straight = found["cfm"].loc[found["cfm"]["measure"] == "straightness@50", "value"]
    assert len(straight) == 2 and np.isfinite(straight).all()
