"""The tables of the published protocols that train no generator."""

from __future__ import annotations

from pathlib import Path

import torch

from pwgan.literature.batches import batch_distances, digits
from pwgan.literature.critics import published_critics
from pwgan.theory.tables import write_csv


def write_tables(out: Path, device: torch.device) -> None:
    """Write every table of ``pwgan.literature.TABLES`` as {name}.csv into ``out``."""
    write_csv(published_critics(device=device), out / "critics-published.csv")
    write_csv(batch_distances(digits()), out / "batches.csv")
