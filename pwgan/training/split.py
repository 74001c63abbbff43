"""Training in smaller blocks where the memory of a GPU does not hold all seeds of one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from pwgan.cells import Training
from pwgan.data.store import StoredData
from pwgan.errors import Refused
from pwgan.methods import Nets
from pwgan.training.checkpoint import State, origin
from pwgan.training.loop import Trainer
from pwgan.training.networks import build_networks
from pwgan.training.watch import Snapshot

log = logging.getLogger("pwgan")


def trained(cell: Training, data: StoredData, checkpoint: Path, device: torch.device) -> State:
    """Train a block; if the GPU runs out of memory, the two halves of its seeds one after the other.

    All random numbers are functions of the seed, so that a seed is trained on the same ones in any block. Raises
    ``Refused`` if the GPU does not hold a single seed.
    """
    try:
        return Trainer(cell, data, device).run(checkpoint)
    except torch.OutOfMemoryError as error:
        message = str(error).partition(". ")[0]
    # Not in the handler: its traceback holds the tensors of the block.
    if cell.seeds == 1:
        raise Refused(
            f"{cell.dataset}, {cell.method}, m = {cell.batch_size}: the GPU does not hold one seed ({message}); use a "
            "smaller mini-batch or network, or a GPU with more memory"
        )
    checkpoint.unlink(missing_ok=True)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    sizes = cell.seeds - cell.seeds // 2, cell.seeds // 2
    log.warning("the GPU does not hold %d seeds at once (%s); training %d, then %d", cell.seeds, message, *sizes)
    states = []
    for first, seeds in zip((cell.first_seed, cell.first_seed + sizes[0]), sizes, strict=True):
        part = cell.model_copy(update={"first_seed": first, "seeds": seeds})
        place = checkpoint.with_name(f"checkpoint-{first}-{first + seeds - 1}.pt")
        states.append(trained(part, data, place, device))
    return joined(cell, data, states)


def joined(cell: Training, data: StoredData, states: Sequence[State]) -> State:
    """Return the final state of a block from those of its parts: what its files hold, without critics or optimisers."""
    generator, _ = build_networks(cell, data.sample_shape)
    weights = [state.generator.state_dict() for state in states]
    generator.load_state_dict({name: torch.cat([part[name] for part in weights]) for name in weights[0]})
    device = states[0].fate.device
    return State(
        Nets(generator.to(device), nn.Identity(), None),
        {},
        torch.cat([state.fate for state in states]),
        torch.cat([state.diverged_at for state in states]),
        origin=origin(cell, data),
        step=max(state.step for state in states),
        seconds=sum(state.seconds for state in states),
        evaluation_seconds=sum(state.evaluation_seconds for state in states),
        history=_histories(states),
        snapshots=_snapshots(states),
    )


def _histories(states: Sequence[State]) -> list[tuple[int, torch.Tensor]]:
    """Join the entries of each step; NaN for a part that ended before, since all of its seeds had diverged."""
    parts = [dict(state.history) for state in states]
    return [(step, _side_by_side([part.get(step) for part in parts], states)) for step in _steps(parts)]


def _snapshots(states: Sequence[State]) -> list[Snapshot]:
    parts = [{snapshot.step: snapshot for snapshot in state.snapshots} for state in states]
    whole = []
    for step in _steps(parts):
        found = [part.get(step) for part in parts]
        samples = _side_by_side([one and one.samples for one in found], states, dim=0)
        auc = _side_by_side([one and one.auc for one in found], states)
        whole.append(Snapshot(step, samples, None, auc))
    return whole


def _steps(parts: Iterable[Mapping[int, object]]) -> list[int]:
    return sorted({step for part in parts for step in part})


def _side_by_side(found: Sequence[torch.Tensor | None], states: Sequence[State], dim: int = -1) -> torch.Tensor:
    """Join tensors along their axis of seeds, ``dim``; NaN in the place of a missing one."""
    like = next(one for one in found if one is not None)
    filled = []
    for one, state in zip(found, states, strict=True):
        size = list(like.shape)
        size[dim] = len(state.fate)
        filled.append(torch.full(size, torch.nan, dtype=like.dtype) if one is None else one)
    return torch.cat(filled, dim)
