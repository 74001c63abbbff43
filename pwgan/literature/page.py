"""The table of published rows and ours, as CSV, Markdown and HTML."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pwgan.literature import FILES
from pwgan.literature.rows import ERRORS, rows
from pwgan.report.frames import read_csv
from pwgan.report.tables._cells import ABSENT, number
from pwgan.report.tables._pages import Table, markdown, page
from pwgan.runtime import atomic_write

CAPTION = (
    "Published values, as their source prints them, and this suite's under the same protocol: mean and standard error "
    "over seeds (or draws). floor: the value of real samples. budget: our iterations relative to the "
    f"paper's. agrees: ours is within {ERRORS:g} standard errors of what is published, which is the printed value up "
    "to its rounding, or the range that is printed or read off a figure. captured-any: modes with a sample within 3 "
    "sigma, as published; of the ring with a double mode either way of counting it is allowed for. estimate: the "
    "critic's, of the distance. nearer: share of batch sizes at which this batch is nearer to a test "
    "batch than real samples are. Rows without a published value are other methods under the same protocol. Last: the "
    "distances behind nearer, and the debiased ones, for which real samples should be nearest."
)


def write_literature(results: Path, out: Path) -> None:
    """Write the table of published rows as literature.csv, .md and .html."""
    table = rows(results)
    shown = Table("Published numbers and ours", CAPTION, _blocks(table) | _batches(results))
    texts = dict(zip(FILES, (table.to_csv(index=False), markdown(shown), page(shown)), strict=True))
    for name, text in texts.items():
        with atomic_write(out / name) as aside:
            aside.write_text(text, encoding="utf-8")


def _blocks(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """One block per protocol."""
    return {str(protocol): _block(part) for protocol, part in table.groupby("protocol", sort=False)}


def _block(part: pd.DataFrame) -> pd.DataFrame:
    errors = part["error"].map(lambda error: "" if pd.isna(error) else f" ± {error:g}")
    ours = [
        ABSENT if pd.isna(mean) else number(mean) + ("" if pd.isna(error) else f" ± {number(error)}")
        for mean, error in zip(part["ours"], part["standard_error"], strict=True)
    ]
    verdict = part["agrees"].map({True: "yes", False: "no"})
    return pd.DataFrame(
        {
            "data": part["dataset"],
            "method": part["method"],
            "m": part["m"].astype(object).where(part["m"].notna(), ABSENT),
            "measure": part["measure"],
            "published": part["published"].map(number) + errors,
            "ours": ours,
            "seeds": part["seeds"].map(lambda count: ABSENT if pd.isna(count) else f"{count:.0f}"),
            "floor": part["floor"].map(number),
            "budget": part["share"].map(lambda share: ABSENT if pd.isna(share) else f"{share:.2g}"),
            "agrees": verdict.fillna(ABSENT),
            "source": part["source"].fillna(ABSENT),
        }
    )


def _batches(results: Path) -> dict[str, pd.DataFrame]:
    """Distances from a test batch of m digits to real samples, centroids and the mean, over repeats."""
    table = read_csv(results / "theory" / "batches.csv")
    columns = {}
    for name, title in (("ewd", "EWD"), ("ewd_debiased", "debiased EWD")):
        for candidate, part in table.groupby("candidate", sort=False):
            found = part.groupby("m")[name].agg(["mean", "sem"])
            texts = [f"{number(mean)} ± {number(error)}" for mean, error in found.to_numpy()]
            columns[f"{title}, {candidate}"] = pd.Series(texts, found.index)
    return {"distances of mini-batches of digits": pd.DataFrame(columns).rename_axis("m").reset_index()}
