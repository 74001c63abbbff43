"""The complete state of a run: an interrupted run resumes from its checkpoint, with bit-identical results."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from pwgan import __version__
from pwgan.cells import Training
from pwgan.data.store import StoredData
from pwgan.errors import Refused
from pwgan.methods import Nets
from pwgan.methods.base import Optimiser
from pwgan.provenance import ROOT, closure
from pwgan.seals import read_bytes, write_behind
from pwgan.training.watch import Snapshot

log = logging.getLogger("pwgan")
TIE = ("matching", "row_potential", "column_potential")  # fields of the transport that ties latents to samples
RUNNING, CRITIC_LOSS, GENERATOR_LOSS, SAMPLES = 0, 1, 2, 3
REASONS = {
    RUNNING: None,
    CRITIC_LOSS: "critic loss is not finite",
    GENERATOR_LOSS: "generator loss is not finite",
    SAMPLES: "generated samples are not finite",
}


@dataclass
class State:
    """Everything that changes while a block of S seeds trains.

    ``fate`` (S,): RUNNING or the reason of divergence; ``diverged_at`` (S,): the step of divergence, or -1. ``history``
    has entries (step, (7, S)) of critic loss, generator loss, EWD, EWD on tied latents, and the critic's dual, largest
    and mean slope. ``snapshots``: one per completed evaluation. ``average``: the moving average of the generator, for
    a method with ``ema``. ``tie``: the fields ``TIE`` of a ``TiedMethod``, (S, n) each; ``pool``: the latents
    (S, km, z) of the pool in hand of a ``PooledMethod``, in the order of its samples, or the fresh latents of a
    ``SemidiscreteMethod`` until the next tie and the indices of their targets; both are empty for other methods.
    ``epochs``: by stream, the number of the epoch in hand of a sampler that oversamples, and its latents, (S, N, z).
    Random draws and batches depend only on seed and step, tied latents only on the seed. ``seconds``: of training,
    by ``runtime.clock``. ``origin``: hash of the data and code of the run.
    """

    nets: Nets
    optimisers: dict[str, Optimiser]
    fate: torch.Tensor
    diverged_at: torch.Tensor
    average: nn.Module | None = None
    tie: dict[str, torch.Tensor] = field(default_factory=dict)
    pool: dict[str, torch.Tensor] = field(default_factory=dict)
    epochs: dict[str, tuple[int, torch.Tensor]] = field(default_factory=dict)
    origin: str = ""
    step: int = 0
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    history: list[tuple[int, torch.Tensor]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)

    @property
    def generator(self) -> nn.Module:
        """The generator that is evaluated, saved and measured: the moving average, if the method has one."""
        return self.nets.generator if self.average is None else self.average

    def record(self, losses: torch.Tensor, reason: int) -> torch.Tensor:
        """Mark seeds whose losses (S,) are not finite as diverged; return the losses, 0 for diverged seeds."""
        running = self.fate == RUNNING
        diverging = running & ~losses.detach().isfinite()
        self.fate = torch.where(diverging, reason, self.fate)
        self.diverged_at = torch.where(diverging, self.step, self.diverged_at)
        return torch.where(running & ~diverging, losses, 0)


def stamp(cell: Training, made_from: str = "", device: str = "cpu") -> str:
    """Hash the configuration of a run, its type of device, which decides the random numbers, and on a CPU its threads.

    A checkpoint of another configuration is never resumed.
    """
    threads = torch.get_num_threads() if device == "cpu" else ""
    return hashlib.sha256(f"{__version__} {device} {threads} {made_from} {cell.model_dump_json()}".encode()).hexdigest()


def origin(cell: Training, data: StoredData) -> str:
    """Hash the samples of the cell's seeds and the code that trains it."""
    data, digest = data.of_seeds(cell.seed_range), hashlib.blake2b(digest_size=16)
    law = (data.modes, data.weights, np.float64(data.sigma)) if data.fresh else ()
    for array in (data.train, data.heldout, *law):
        digest.update(np.ascontiguousarray(array).data)
    for file in closure("pwgan.training.run", *cell.modules()):
        digest.update((ROOT / file).read_bytes())
    return digest.hexdigest()


def save_checkpoint(path: Path, cell: Training, state: State) -> None:
    """Write the state atomically."""
    content = {
        "stamp": stamp(cell, state.origin, state.fate.device.type),
        "generator": state.nets.generator.state_dict(),
        "critic": state.nets.critic.state_dict(),
        "optimisers": {name: optimiser.state_dict() for name, optimiser in state.optimisers.items()},
        "average": state.average.state_dict() if state.average else {},
        "tie": state.tie,
        "pool": state.pool,
        "epochs": state.epochs,
        "fate": state.fate,
        "diverged_at": state.diverged_at,
        "step": state.step,
        "seconds": state.seconds,
        "evaluation_seconds": state.evaluation_seconds,
        "history": state.history,
        "snapshots": [tuple(snapshot) for snapshot in state.snapshots],
    }
    plain = io.BytesIO()
    torch.save(content, plain)
    write_behind(path, "checkpoint", cell.identity, plain.getvalue())


def load_checkpoint(path: Path, cell: Training, state: State, device: torch.device) -> bool:
    """Restore ``state`` from the checkpoint; returns False if there is none of this configuration.

    A damaged one, or whatever else has its name, is set aside with a warning: nobody may be there to delete it.
    """
    if not path.exists():
        return False
    try:
        sealed = read_bytes(path, "checkpoint")
    except Refused as error:
        damaged = path.with_name("checkpoint.damaged")
        os.replace(path, damaged)
        log.warning("starting from scratch: %s; it is now %s", str(error).partition("; ")[0], damaged)
        return False
    content: dict[str, Any] = torch.load(io.BytesIO(sealed), map_location=device, weights_only=True)
    if content["stamp"] != stamp(cell, state.origin, device.type):
        log.warning("%s was made with other data, code, options or device; starting from scratch", path)
        return False
    state.nets.generator.load_state_dict(content["generator"])
    state.nets.critic.load_state_dict(content["critic"])
    for name, optimiser in state.optimisers.items():
        optimiser.load_state_dict(content["optimisers"][name])
    if state.average:
        state.average.load_state_dict(content["average"])
    state.tie, state.pool, state.epochs = content["tie"], content["pool"], content["epochs"]
    state.fate, state.diverged_at = content["fate"], content["diverged_at"]
    state.step, state.seconds = content["step"], content["seconds"]
    state.evaluation_seconds = content["evaluation_seconds"]
    state.history = [(int(step), row) for step, row in content["history"]]
    state.snapshots = [
        Snapshot(step, samples.cpu(), None if batch is None else batch.cpu(), auc.cpu())
        for step, samples, batch, auc in content["snapshots"]
    ]
    return True
