"""What the results of a study were made with: versions, commit, lock, machine and device of every block."""

from __future__ import annotations

import json

import pandas as pd

from pwgan.options import REFERENCE
from pwgan.report.frames import MADE_WITH
from pwgan.report.tables._cells import ABSENT
from pwgan.report.tables._pages import Table

KEYS = ["pwgan", "torch", *MADE_WITH]
STAGES = {"train": "training", "measure": "measuring"}


def data(provenance: pd.DataFrame) -> pd.DataFrame:
    """Count the blocks and seeds of each stage that were made with the same versions on the same kind of machine."""
    groups = _versions(provenance).groupby(["stage", *KEYS], dropna=False, sort=False)
    counts = groups.agg(blocks=("seeds", "size"), seeds=("seeds", "sum")).reset_index()
    return counts.sort_values(["stage", "blocks"], ascending=False, ignore_index=True)


def _versions(provenance: pd.DataFrame) -> pd.DataFrame:
    packages = provenance["packages"].map(json.loads)
    return provenance.assign(**{name: packages.map(lambda found, name=name: found.get(name)) for name in KEYS[:2]})


def readable(frame: pd.DataFrame) -> Table:
    """Lay out one block per stage."""
    caption = (
        "What trained generators and measured samples; real samples are measured only. commit: of the checkout, with + "
        "after it if its package was changed. lock: first digits of the SHA-256 of envs/requirements.lock, if the "
        f"installed packages are those that it names. {ABSENT}: not known, or not so. More than one row: results were "
        "made with different versions or devices, or with other packages that provenance.csv lists."
    )
    columns = [name for name in KEYS if name != "packages"]
    blocks = {
        STAGES[str(stage)]: part[[*columns, "blocks", "seeds"]].astype(object).fillna(ABSENT)
        for stage, part in frame.groupby("stage", sort=False)
    }
    return Table("What the results were made with", caption, blocks)


def sentence(provenance: pd.DataFrame) -> str:
    """Say in how many runs a study consists and what they were made with; if not with the same, say what differs."""
    rows = _versions(provenance)
    trained = rows[(rows["stage"] == "train") & (rows["method"] != REFERENCE)]
    same = {name: rows[name].iloc[0] for name in KEYS if rows[name].nunique(dropna=False) == 1}
    words = [f"{name} {same[name]}" for name in KEYS[:-1] if name != "packages" and pd.notna(same.get(name))]
    words += [f"threads {same['threads']}"] if "threads" in same else []
    text = f"Behind it: {trained['seeds'].sum()} runs in {len(trained)} blocks; {', '.join(words)}."
    different = [name for name in KEYS if name not in same and not (name == "packages" and "torch" not in same)]
    if not different:
        return text
    parts = []
    for name in different:
        counts = rows[name].fillna("unknown").value_counts()
        parts.append(f"{name}: " + ", ".join(f"{value} ({count})" for value, count in counts.items()))
    return f"{text} Attention: not all of its {len(rows)} results were made alike; {'; '.join(parts)}."
