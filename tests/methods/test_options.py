"""What holds of every registered method."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from pwgan.methods import AdversarialMethod, Batch, FlowMethod, Nets, methods
from pwgan.networks.layers.flow import Flow
from pwgan.networks.layers.initial import initialise
from pwgan.networks.mlp import MLP

KNOWN = methods()
EVERY = pytest.mark.parametrize("name", KNOWN)


def test_the_methods_of_the_article_are_found():
    assert {"gan", "nsgan", "pwgan", "wgan", "wgan_gp"} <= set(KNOWN)
    assert [name for name, method in KNOWN.items() if not issubclass(method, AdversarialMethod)] == [
        "bomb",
        "cfm",
        "energy",
        "imle",
        "max_sliced",
        "ot_cfm",
        "partial",
        "pwgan",
        "pwgan_debiased",
        "pwgan_full",
        "pwgan_pool",
        "semidual",
        "sinkhorn",
        "sliced",
        "unbalanced",
    ]


@EVERY
def test_a_method_is_found_by_its_name_in_a_small_file_of_its_own(name):
    method = KNOWN[name]
    assert method.name == name and method.__doc__
    assert len(Path(inspect.getfile(method)).read_text().splitlines()) < 100


@EVERY
def test_options_survive_a_file(name):
    method = KNOWN[name]
    changed = {"generator_lr": 0.125, "generator_steps": 3, "betas": [0.25, 0.75]}
    if issubclass(method, AdversarialMethod):
        changed |= {"critic_lr": 0.5, "critic_steps": 7}
    for options in (method(), method.model_validate(changed)):
        stored = json.loads(json.dumps(options.model_dump(mode="json")))
        assert method.model_validate(stored) == options
    assert {key: stored[key] for key in changed} == changed


@EVERY
@pytest.mark.parametrize(("slip", "meant"), [("generator_lrr", "generator_lr"), ("generatr_steps", "generator_steps")])
def test_an_unknown_option_is_refused_with_the_nearest(name, slip, meant):
    with pytest.raises(ValidationError, match=rf"unknown option of .*: '{slip}'. Did you mean '{meant}'\? Allowed: "):
        KNOWN[name].model_validate({slip: 1})


@EVERY
@pytest.mark.parametrize(
    "bad", [{"generator_lr": 0}, {"generator_lr": float("nan")}, {"generator_steps": 0}, {"betas": [0.5, 1.0]}]
)
def test_impossible_options_are_refused(name, bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        KNOWN[name].model_validate(bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("wgan", {"clip": 0}),
        ("wgan", {"critic_steps": 0}),
        ("wgan_gp", {"penalty": -1}),
        ("gan", {"critic_lr": 0}),
        ("pwgan", {"cost": "chebyshev"}),
    ],
)
def test_impossible_options_of_a_method_are_refused(name, bad):
    with pytest.raises(ValidationError, match=next(iter(bad))):
        KNOWN[name].model_validate(bad)


def test_pwgan_has_no_critic_to_set():
    with pytest.raises(ValidationError, match="unknown option of PWGAN: 'critic_steps'"):
        KNOWN["pwgan"].model_validate({"critic_steps": 5})


@EVERY
def test_a_step_against_the_gradient_lowers_the_loss_of_every_seed(name):
    method, seeds = KNOWN[name](), range(3)
    network, latent_dim = MLP(width=16, depth=2, latent_dim=4), 4
    generator, critic = network.build(seeds, (2,), "none")
    if isinstance(method, FlowMethod):
        generator, latent_dim = Flow(network.build_velocity(seeds, (2,)), (2,), method.ode_steps), 2
    adversarial = isinstance(method, AdversarialMethod)
    if adversarial:
        _, critic = network.build(seeds, method.critic_shape((2,)), "none")
    initialise(generator, seeds, "generator")
    initialise(critic, seeds, "critic")
    optimiser = method.optimiser(critic.parameters(), method.critic_lr) if adversarial else None
    nets = Nets(generator, critic, optimiser)
    real, latent, other = (
        torch.randn(3, 8, d, generator=torch.Generator().manual_seed(k))
        for k, d in enumerate((2, latent_dim, latent_dim))
    )

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(3, *shape, generator=torch.Generator().manual_seed(0))

    def batch() -> Batch:
        second = generator(other) if method.second_draw else None
        return Batch(real + 1, torch.arange(8).expand(3, -1), latent, generator(latent), uniform, second)

    played = [(method.generator_loss, generator)]
    if adversarial:
        played.append((method.critic_loss, critic))
    for loss, network in played:
        before = loss(nets, batch())
        assert before.shape == (3,)
        gradient = torch.autograd.grad(before.sum(), list(network.parameters()), allow_unused=True)
        with torch.no_grad():
            for parameter, slope in zip(network.parameters(), gradient, strict=True):
                if slope is not None:
                    parameter -= 1e-3 * slope
        assert (loss(nets, batch()) < before).all()


def test_reading_options_needs_no_torch():
    code = "import sys, pwgan.methods as p; [m() for m in p.methods().values()]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
