"""Train a block of seeds and write its files."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pwgan.cells import Training
from pwgan.data.store import StoredData
from pwgan.errors import Refused
from pwgan.methods import AdversarialMethod
from pwgan.runtime import Cost, atomic_write, environment, exclusive, measured_cost, write_json, write_table
from pwgan.training.checkpoint import REASONS, State
from pwgan.training.loop import Trainer
from pwgan.training.samples import generate, latent_samples

log = logging.getLogger("pwgan")
FORMAT = "pwgan generator 1"  # the only metadata key: with several, their order, and so the bytes, would vary
HISTORY = ("critic_loss", "generator_loss", "ewd", "tied_ewd", "critic_dual", "critic_slope", "critic_slope_mean")
SAMPLES_KEPT = {"points": 1000, "images": 64}  # samples per seed for figures


def train(cell: Training, data: StoredData, folder: Path, device: torch.device) -> None:
    """Train a block and write its files to ``folder``, run.json last; then remove the checkpoint.

    Raises ``Refused`` if another process is training the block.
    """
    with exclusive(folder / ".lock"):
        checkpoint = folder / "checkpoint.pt"
        log.info(
            "%s, %s, m = %d, seeds %s, on %s", cell.dataset, cell.method, cell.batch_size, list(cell.seed_range), device
        )
        with measured_cost(device) as cost:
            state = Trainer(cell, data, device).run(checkpoint)
        # Includes the time before an interruption.
        cost.seconds = round(state.seconds, 3)
        write_history(folder / "history.parquet", cell, state)
        write_ranking(folder / "ranking.parquet", cell, state)
        with atomic_write(folder / "snapshots.safetensors") as aside:
            save_file(
                {
                    "steps": torch.tensor([snapshot.step for snapshot in state.snapshots]),
                    "samples": torch.stack([snapshot.samples for snapshot in state.snapshots]),
                },
                aside,
            )
        about = {**_identity(cell), "shape": data.train.shape[1:]}
        with atomic_write(folder / "generator.safetensors") as aside:
            save_file(state.nets.generator.state_dict(), aside, {FORMAT: json.dumps(about, sort_keys=True)})
        with atomic_write(folder / "samples.npy") as aside:
            latents = latent_samples(cell.seed_range, "shown", SAMPLES_KEPT[data.kind], cell.network.latent_dim)
            np.save(aside, data.restored(generate(state.nets.generator, latents.to(device)).cpu().numpy()))
        write_json(folder / "run.json", _summary(cell, state, cost, device))
        checkpoint.unlink()


def _identity(cell: Training) -> dict[str, object]:
    """Return the properties that a stored generator must share with the cell that loads it."""
    return {"network": cell.network.model_dump(), "seeds": cell.seeds}


def _summary(cell: Training, state: State, cost: Cost, device: torch.device) -> dict[str, object]:
    fates, method = [REASONS[int(fate)] for fate in state.fate], cell.build_method()
    return {
        "training": cell.model_dump(mode="json"),
        "dual": isinstance(method, AdversarialMethod) and method.dual,
        "seeds": [
            {
                "seed": seed,
                "status": "diverged" if reason else "ok",
                "diverged_at": int(at) if reason else None,
                "reason": reason,
            }
            for seed, reason, at in zip(cell.seed_range, fates, state.diverged_at, strict=True)
        ],
        "steps": state.step,
        **asdict(cost),
        "evaluation_seconds": round(state.evaluation_seconds, 3),
        **environment(device),
    }


def write_history(path: Path, cell: Training, state: State) -> None:
    """Write losses, EWDs and critic measures as a tidy table, one row per seed and recorded step."""
    rows = [
        {"seed": seed, "step": step, **dict(zip(HISTORY, row, strict=True))}
        for step, values in state.history
        for seed, row in zip(cell.seed_range, values.T.tolist(), strict=True)
    ]
    write_table(path, rows)


def write_ranking(path: Path, cell: Training, state: State) -> None:
    """Write how the critic of each evaluation ranks every earlier one; no rows for a method without a critic."""
    steps = [snapshot.step for snapshot in state.snapshots]
    rows = [
        {"seed": seed, "step": snapshot.step, "earlier_step": earlier, "auc": auc}
        for snapshot in state.snapshots
        for earlier, row in zip(
            steps, snapshot.auc.tolist(), strict=False
        )  # a snapshot ranks only the steps up to its own
        for seed, auc in zip(cell.seed_range, row, strict=True)
    ]
    write_table(path, rows, {"seed": "int64", "step": "int64", "earlier_step": "int64", "auc": "double"})


def load_generator(path: Path, cell: Training, device: torch.device) -> torch.nn.Module:
    """Load the generators of a block in eval mode; raises ``Refused`` if the file is not of this cell."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise Refused(f"{path} is truncated or not a safetensors file ({error}); train the block again") from error
    about = json.loads(metadata.get(FORMAT, "{}"))
    shape = about.pop("shape", None)
    if about != _identity(cell):
        raise Refused(f"{path} holds {metadata}, not the generators of {cell.network!r} with {cell.seeds} seeds")
    generator, _ = cell.network.build(cell.seed_range, tuple(shape), "none")
    generator.load_state_dict(tensors)
    return generator.to(device).eval()
