"""The gradient a generator receives from a critic that is trained while the generator is held fixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from pwgan.cells import Training
from pwgan.data.store import StoredData, rows_of, to_float
from pwgan.errors import Refused
from pwgan.methods import AdversarialMethod, Batch
from pwgan.seals import write_rows
from pwgan.training.checkpoint import RUNNING
from pwgan.training.loop import Trainer
from pwgan.training.run import load_generator, read_run
from pwgan.training.samples import latent_samples

Weights = dict[str, torch.Tensor]
Rows = list[dict[str, Any]]
POOL = 256  # samples on which the generator's gradient is computed, the same at every step
CRITIC_STEPS = 512
SIGNAL = ("critic_loss", "parameter_gradient", "sample_gradient")


def rungs(steps: int) -> list[int]:
    """Steps after which the signal is recorded: 1, 2, 4, ... up to ``steps``."""
    return [1 << k for k in range(steps.bit_length())]


def critic_signal(
    cell: Training,
    data: StoredData,
    weights: Weights | None,
    device: torch.device,
    steps: int = CRITIC_STEPS,
) -> Rows:
    """Train new critics of one method against fixed generators and record the generators' gradients.

    The generators have ``weights``, a state dict of the cell's network for its S seeds, or their initial weights if
    None. Each row has seed, step and: ``critic_loss``, of the critic's last mini-batch; ``parameter_gradient``,
    ||dL/dtheta|| with L the method's generator loss on a fixed pool of POOL latents; ``sample_gradient``, the mean over
    the pool of ||d l_j / d y_j||, l_j the loss of sample y_j alone, L their mean. Generators are in eval mode, critics
    as in training. All are NaN once a seed's critic has diverged. Source: article B4 (vanishing gradients) and C2.

    Raises ``Refused`` if the cell's method has no critic.
    """
    trainer = Trainer(cell, data, device)
    method, nets, state = trainer.method, trainer.state.nets, trainer.state
    if not isinstance(method, AdversarialMethod):
        raise Refused(f"{cell.method} ({cell.algorithm}) has no critic, so there is no signal to measure")
    if weights is not None:
        nets.generator.load_state_dict(weights)
    latent = latent_samples(cell.seed_range, "signal", POOL, cell.network.latent_dim).to(device)
    rows: Rows = []
    for step in range(1, max(rungs(steps)) + 1):
        # Eval mode: training mode would update the statistics of batch normalisation.
        nets.generator.eval()
        loss = trainer.critic_step(method, step - 1)
        if step not in rungs(steps):
            continue
        values = torch.stack([loss, *_gradients(trainer, method, latent)])
        values = torch.where(state.fate == RUNNING, values, torch.nan)
        rows += [
            {"seed": seed, "step": step, **dict(zip(SIGNAL, row, strict=True))}
            for seed, row in zip(cell.seed_range, values.T.tolist(), strict=True)
        ]
    return rows


def _gradients(trainer: Trainer, method: AdversarialMethod, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the norms of the gradient with respect to the generator's parameters and to its samples, (S,) each."""
    nets = trainer.state.nets
    nets.generator.eval()
    fake = nets.generator(latent)
    index = (torch.arange(POOL, device=latent.device) % trainer.data.train_size).expand(len(latent), -1)
    batch = Batch(to_float(rows_of(trainer.real, index)), index, latent, fake, trainer.draws.uniforms("signal", 0))
    parameters = list(nets.generator.parameters())
    *by_parameters, by_samples = torch.autograd.grad(method.generator_loss(nets, batch).sum(), [*parameters, fake])
    whole = torch.cat([gradient.flatten(1) for gradient in by_parameters], 1).norm(dim=1)
    return whole, POOL * by_samples.flatten(2).norm(dim=-1).mean(1)


def block_signal(
    folder: Path,
    block: Training,
    critics: list[Training],
    data: StoredData,
    device: torch.device,
    steps: int = CRITIC_STEPS,
) -> Rows:
    """Measure the signal of every method in ``critics`` for the initial and the trained generators of a block.

    The rows of ``critic_signal``, with ``generator`` (initial or trained) and ``critic``, the method's name; NaN for a
    trained generator that diverged. Raises ``Refused`` if a critic has another data set, network or seeds.
    """
    for critic in critics:
        for name in ("dataset", "network", "first_seed", "seeds"):
            actual, expected = getattr(critic, name), getattr(block, name)
            if actual != expected:
                raise Refused(f"the critic of {critic.method} has {name} {actual!r}, but the block has {expected!r}")
    fates = read_run(folder, block)["seeds"]
    lost = {fate["seed"] for fate in fates if fate["status"] != "ok"}
    trained = load_generator(folder / "generator.safetensors", block, device).state_dict()
    rows: Rows = []
    labels = block.labels()
    for critic in critics:
        rows += [
            {**labels, "generator": "initial", "critic": critic.method, **row}
            for row in critic_signal(critic, data, None, device, steps)
        ]
        rows += [
            {**labels, "generator": "trained", "critic": critic.method, **row}
            | (dict.fromkeys(SIGNAL, float("nan")) if row["seed"] in lost else {})
            for row in critic_signal(critic, data, trained, device, steps)
        ]
    return rows


SIGNAL_COLUMNS = (
    dict.fromkeys(("dataset", "method"), "string")
    | {"batch_size": "int64", "generator": "string", "critic": "string", "seed": "int64", "step": "int64"}
    | dict.fromkeys(SIGNAL, "double")
)
"""Columns of signal.parquet."""


def measure_signal(
    folder: Path, block: Training, critics: list[Training], data: StoredData, device: torch.device
) -> None:
    """Write ``block_signal`` of a block into its folder as signal.parquet."""
    rows = block_signal(folder, block, critics, data, device)
    write_rows(folder / "signal.parquet", "signal", block.identity, rows, SIGNAL_COLUMNS)
