"""The gradient a generator receives from a critic that is trained while the generator is held fixed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from pwgan.cells import Training
from pwgan.data.store import StoredData, rows_of, to_float
from pwgan.errors import Refused
from pwgan.measures.memorization import nearest_distances
from pwgan.measures.retention import RETENTION, retention
from pwgan.methods import AdversarialMethod, Batch
from pwgan.seals import write_rows
from pwgan.training.checkpoint import RUNNING
from pwgan.training.loop import Trainer
from pwgan.training.run import load_generator, read_run
from pwgan.training.samples import generate, latent_samples, training_samples
from pwgan.transport.cost import points
from pwgan.transport.direction import transport_direction, unit

Weights = dict[str, torch.Tensor]
Rows = list[dict[str, Any]]
POOL = 256  # samples on which the generator's gradient is computed, the same at every step
MATCHED = 1024  # samples, the pool among them, whose matching with as many real ones gives the transport direction
CRITIC_STEPS = 512
FEWEST_STEPS = 2048  # steps before the losses are tested for a standstill: fewer are too noisy to tell
STILL = 0.01  # largest change of a loss that stands still, relative to it
UNDECIDED = math.log(4)  # loss of a discriminator that cannot tell real from generated samples
SIGNAL = ("critic_loss", "parameter_gradient", "sample_gradient", "cosine")


def rungs(steps: int) -> list[int]:
    """Steps after which the signal is recorded: 0, 1, 2, 4, ..., and ``steps``."""
    return sorted({0, *(1 << k for k in range(steps.bit_length())), steps})


def stands_still(losses: torch.Tensor, dual: bool) -> torch.Tensor:
    """Return whether the losses of each seed have stopped changing: (t, S), one row per step -> (S,).

    With A the mean of the third and B that of the last quarter of all steps: |B - A| is at most 1 % of the larger of
    |A| and |B|, or two standard errors of B - A, below which no change can be told from the noise of the mini-batches.
    The loss of a discriminator (not ``dual``) may tend to 0, where no relative change would be small: 0.1 % of log 4,
    its loss while it cannot tell real from generated samples, will do too.
    """
    count = len(losses) // 4
    third, fourth = losses.double()[-2 * count :].split(count)
    a, b = third.mean(0), fourth.mean(0)
    noise = 2 * ((third.var(0) + fourth.var(0)) / count).sqrt()
    allowed = torch.maximum(STILL * torch.maximum(a.abs(), b.abs()), noise)
    return (b - a).abs() <= (allowed if dual else allowed.clamp(min=UNDECIDED / 1000))


def critic_signal(
    cell: Training,
    data: StoredData,
    weights: Weights | None,
    device: torch.device,
    steps: int = CRITIC_STEPS,
) -> Rows:
    """Train new critics of one method against fixed generators and record the generators' gradients.

    The generators have ``weights``, a state dict of the cell's network for its S seeds, or their initial weights if
    None. The critics take ``steps`` steps at their initial learning rates, or fewer if at one of the ``rungs``, from
    step 2048 on, the losses of all seeds have come to a standstill (``stands_still``). Each row has seed, step (0: the
    untrained critic) and:

    - ``critic_loss``: of the critic's last mini-batch.
    - ``parameter_gradient``: ||dL/dtheta|| with L the method's generator loss on a fixed pool of POOL latents.
    - ``sample_gradient``: the mean over the pool of ||d l_j / d y_j||, l_j the loss of sample y_j alone, L their mean.
    - ``cosine``: the mean over the pool of the cosine of -d l_j / d y_j, along which the sample is moved, with the
      ``transport_direction`` of MATCHED generated samples, the pool among them, and as many training samples.
    - ``apart``: ``distance_apart`` of these generated samples from the training set, the same at every step.
    - ``ceiling``: mean cosine of these transport directions with those to held-out samples, matched with other
      generated samples beside the pool: what independent samples agree upon, the same at every step.
    - ``stationary``: whether the critic's loss has come to a standstill by this step.
    - ``probe_before``, ``probe_1``, ``probe_128``: ``retention`` of the last critic; NaN in the rows of earlier steps.

    Generators are in eval mode, critics as in training. All but ``apart``, ``ceiling`` and ``stationary`` are NaN once
    a seed's critic has diverged. Source: article B4 (vanishing gradients) and C2. Raises ``Refused`` if the cell's
    method has no critic.
    """
    trainer = Trainer(cell, data, device)
    method, nets, state = trainer.method, trainer.state.nets, trainer.state
    if not isinstance(method, AdversarialMethod):
        raise Refused(f"{cell.method} ({cell.algorithm}) has no critic, so there is no signal to measure")
    if weights is not None:
        nets.generator.load_state_dict(weights)
    latent = latent_samples(cell.seed_range, "signal", MATCHED, cell.network.latent_dim).to(device)
    directions, apart, ceiling = _transport(trainer, latent)
    loss, losses = torch.full((cell.seeds,), torch.nan, device=device), []
    still = torch.zeros(cell.seeds, dtype=torch.bool, device=device)
    recorded, rows = rungs(steps), list[dict[str, Any]]()
    for step in range(steps + 1):
        # Eval mode: training mode would update the statistics of batch normalisation.
        nets.generator.eval()
        if step:
            loss = trainer.critic_step(method, step - 1)
            losses.append(loss)
        if step not in recorded:
            continue
        running = state.fate == RUNNING
        if step >= FEWEST_STEPS:
            still |= running & stands_still(torch.stack(losses), method.dual)
        values = torch.stack([loss, *_gradients(trainer, method, latent[:, :POOL], directions)])
        values = torch.where(running, values, torch.nan)
        rows += [
            {"seed": seed, "step": step, **dict(zip(SIGNAL, row, strict=True))}
            | {"apart": far, "ceiling": most, "stationary": stopped}
            | dict.fromkeys(RETENTION, math.nan)
            for seed, row, far, most, stopped in zip(
                cell.seed_range, values.T.tolist(), apart, ceiling, still.tolist(), strict=True
            )
        ]
        if bool((still | ~running).all()):
            break
    kept = torch.where(state.fate == RUNNING, retention(trainer, method, step), torch.nan)
    for row, values in zip(rows[-cell.seeds :], kept.T.tolist(), strict=True):
        row.update(zip(RETENTION, values, strict=True))
    return rows


def _transport(trainer: Trainer, latent: torch.Tensor) -> tuple[torch.Tensor, list[float], list[float]]:
    """Return the transport directions of the pool, (S, p, d), and apart and ceiling of each seed; NaN if diverged."""
    data, seeds, generator = trainer.data, trainer.cell.seed_range, trainer.state.nets.generator
    fake = points(generate(generator, latent), 1)
    sound = fake.isfinite().all(-1).all(-1)
    count = min(MATCHED, data.train_size)
    directions = _directions(points(training_samples(data, seeds, count), 1), fake)
    others = latent_samples(seeds, "signal again", MATCHED - POOL, latent.shape[-1]).to(latent)
    again = points(generate(generator, torch.cat([latent[:, :POOL], others], 1)), 1)
    held = points(data.heldout_tensor(torch.arange(min(MATCHED, data.heldout_size))), 1)
    independent = _directions(held.expand(len(fake), -1, -1), again)
    shared = min(directions.shape[1], independent.shape[1])
    ceiling = (directions[:, :shared] * independent[:, :shared]).sum(-1).mean(1)
    apart = torch.tensor(distance_apart(torch.where(sound[:, None, None], fake, 0), data))
    far, most = (torch.where(sound.cpu(), side.cpu(), torch.nan).tolist() for side in (apart, ceiling))
    return directions, far, most


def _directions(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Transport directions of the pool matched with real points (S, n, d); 0 in the place of seeds that diverged."""
    fake = fake[:, : real.shape[1]]
    sound = fake.isfinite().all(-1).all(-1)
    return transport_direction(real.to(fake), torch.where(sound[:, None, None], fake, 0))[:, :POOL]


def distance_apart(fake: torch.Tensor, data: StoredData) -> list[float]:
    """Return for each seed the smallest distance between generated points (S, n, d) and training samples.

    In units of the standard deviation of a mode where it is known, else of the median distance of held-out samples to
    the nearest training sample: well above 1 if the supports are disjoint, below 1 if they overlap.
    """
    some = torch.arange(min(MATCHED, data.heldout_size))
    sides = (points(part, 1).expand(len(fake), -1, -1) for part in (data.train_tensor(), data.heldout_tensor(some)))
    apart = []
    for y, x, held in zip(fake, *sides, strict=True):
        scale = nearest_distances(held, x).quantile(0.5) if data.sigma is None else data.sigma
        apart.append(float(nearest_distances(y, x).min() / scale))
    return apart


def _gradients(
    trainer: Trainer, method: AdversarialMethod, latent: torch.Tensor, directions: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the norms of the gradients by the generator's parameters and by its samples, and the cosine, (S,) each."""
    nets = trainer.state.nets
    nets.generator.eval()
    fake = nets.generator(latent)
    index = (torch.arange(POOL, device=latent.device) % trainer.data.train_size).expand(len(latent), -1)
    batch = Batch(to_float(rows_of(trainer.real, index)), index, latent, fake, trainer.draws.uniforms("signal", 0))
    parameters = list(nets.generator.parameters())
    *by_parameters, by_samples = torch.autograd.grad(method.generator_loss(nets, batch).sum(), [*parameters, fake])
    whole = torch.cat([gradient.flatten(1) for gradient in by_parameters], 1).norm(dim=1)
    by_samples = by_samples.flatten(2)
    moved = unit(-by_samples[:, : directions.shape[1]])
    return whole, POOL * by_samples.norm(dim=-1).mean(1), (moved * directions).sum(-1).mean(1).to(whole.dtype)


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
            | (dict.fromkeys((*SIGNAL, *RETENTION), float("nan")) if row["seed"] in lost else {})
            for row in critic_signal(critic, data, trained, device, steps)
        ]
    return rows


SIGNAL_COLUMNS = (
    dict.fromkeys(("dataset", "method"), "string")
    | {"batch_size": "int64", "generator": "string", "critic": "string", "seed": "int64", "step": "int64"}
    | dict.fromkeys((*SIGNAL, "apart", "ceiling"), "double")
    | {"stationary": "bool"}
    | dict.fromkeys(RETENTION, "double")
)
"""Columns of signal.parquet."""


def measure_signal(
    folder: Path, block: Training, critics: list[Training], data: StoredData, device: torch.device, steps: int
) -> None:
    """Write ``block_signal`` of a block into its folder as signal.parquet."""
    rows = block_signal(folder, block, critics, data, device, steps)
    write_rows(folder / "signal.parquet", "signal", block.identity, rows, SIGNAL_COLUMNS)
