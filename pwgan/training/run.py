"""Train a block of seeds and write its files."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pwgan.cells import Training
from pwgan.data.store import StoredData
from pwgan.errors import Refused
from pwgan.methods import AdversarialMethod
from pwgan.runtime import Cost, forget_ahead, measured_cost
from pwgan.seals import check, read_json, read_tensors, write_array, write_json, write_rows, write_tensors
from pwgan.training.checkpoint import REASONS, State, origin
from pwgan.training.networks import build_networks
from pwgan.training.samples import generate, latent_samples
from pwgan.training.split import trained
from pwgan.versions import made_with

log = logging.getLogger("pwgan")
HISTORY = (
    *("critic_loss", "generator_loss", "ewd", "tied_ewd"),
    *("critic_dual", "critic_slope", "critic_slope_mean", "ewd_debiased"),
)
SAMPLES_KEPT = {"points": 1000, "images": 64}  # samples per seed for figures


FILES = {
    "history": "history.parquet",
    "ranking": "ranking.parquet",
    "snapshots": "snapshots.safetensors",
    "generator": "generator.safetensors",
    "samples": "samples.npy",
    "run": "run.json",
}
"""The files of a trained block by kind; run.json is written last."""


def train(cell: Training, data: StoredData, folder: Path, device: torch.device, force: bool = False) -> None:
    """Train a block and write its files to ``folder``, run.json last; then remove the checkpoint.

    Does nothing if that is done, with these parameters, data, code and threads, unless ``force``. The caller holds the
    lock of the folder.
    """
    place = f"{cell.dataset}, {cell.method}, m = {cell.batch_size}, seeds {list(cell.seed_range)}"
    if not force and finished(folder, cell, data, device):
        _remove_checkpoints(folder)  # of a run that was killed after its last file
        log.info("%s: finished, and nothing to do in %s (--force trains it again)", place, folder)
        return
    log.info("%s, on %s", place, device)
    forget_ahead(folder)
    with measured_cost(device) as cost:
        state = trained(cell, data, folder / "checkpoint.pt", device)
    # Includes the time before an interruption.
    cost.seconds = round(state.seconds, 3)
    of, paths = cell.identity, {kind: folder / name for kind, name in FILES.items()}
    write_history(paths["history"], cell, state)
    write_ranking(paths["ranking"], cell, state)
    snapshots = {
        "steps": torch.tensor([snapshot.step for snapshot in state.snapshots]),
        "samples": torch.stack([snapshot.samples for snapshot in state.snapshots]),
    }
    write_tensors(paths["snapshots"], "snapshots", of, snapshots, {})
    about = {"network": cell.network.model_dump(), "seeds": cell.seeds, "shape": data.sample_shape}
    write_tensors(paths["generator"], "generator", of, state.generator.state_dict(), about)
    latents = latent_samples(cell.seed_range, "shown", SAMPLES_KEPT[data.kind], cell.network.latent_dim)
    samples = data.restored(generate(state.generator, latents.to(device)).cpu().numpy())
    write_array(paths["samples"], "samples", of, samples)
    write_json(paths["run"], "run", of, _summary(cell, state, cost, device))
    _remove_checkpoints(folder)


def _remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoint of a block, and those of its parts if its seeds were split."""
    for path in folder.glob("checkpoint*.pt"):
        path.unlink()


def finished(folder: Path, cell: Training, data: StoredData, device: torch.device) -> bool:
    """Return whether all files of a trained block are in ``folder``, undamaged, of these data and the present code.

    On a CPU also of as many threads, on which the order of sums depends.
    """
    if not all((folder / name).exists() for name in FILES.values()):
        return False
    try:
        run = read_json(folder / FILES["run"], "run", cell.identity)
        for kind, name in FILES.items():
            check(folder / name, kind, cell.identity)
    except Refused as error:
        log.warning("training again: %s", str(error).partition("; ")[0])
        return False
    as_many = device.type != "cpu" or run["device"] != "cpu" or run["threads"] == torch.get_num_threads()
    return as_many and run["origin"] == origin(cell, data)


def read_run(folder: Path, cell: Training) -> dict[str, Any]:
    """Read run.json of a trained block; raises ``Refused`` if it was trained with other parameters."""
    return read_json(folder / FILES["run"], "run", cell.identity)


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
        "origin": state.origin,
        **asdict(cost),
        "evaluation_seconds": round(state.evaluation_seconds, 3),
        **made_with(device),
    }


def write_history(path: Path, cell: Training, state: State) -> None:
    """Write losses, EWDs and critic measures as a tidy table, one row per seed and recorded step."""
    rows = [
        {"seed": seed, "step": step, **dict(zip(HISTORY, row, strict=True))}
        for step, values in state.history
        for seed, row in zip(cell.seed_range, values.T.tolist(), strict=True)
    ]
    write_rows(path, "history", cell.identity, rows)


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
    write_rows(
        path,
        "ranking",
        cell.identity,
        rows,
        {"seed": "int64", "step": "int64", "earlier_step": "int64", "auc": "double"},
    )


def load_generator(path: Path, cell: Training, device: torch.device) -> torch.nn.Module:
    """Load the generators of a block in eval mode; raises ``Refused`` if the file is not of this cell."""
    tensors, about = read_tensors(path, "generator", cell.identity)
    generator, _ = build_networks(cell, tuple(about["shape"]))
    generator.load_state_dict(tensors)
    return generator.to(device).eval()
