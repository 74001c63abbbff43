"""The article's picture: the union of mini-batch matchings is not the full matching."""

from __future__ import annotations

import pandas as pd
import torch

from pwgan.runtime import seed_of
from pwgan.transport.cost import pair_cost
from pwgan.transport.minibatch import minibatch_wasserstein

POINTS = 8
BATCH = 4


def picture() -> pd.DataFrame:
    """Match 8 points of the unit square with 8 others, all at once and in two mini-batches of m = 4.

    One row for each point x_j: index, batch, x0, x1; y0, y1, the coordinates of y_j, which is in the same batch;
    full and minibatch, the index of the partner of x_j in each matching; full_cost and minibatch_cost, their distances,
    whose means are EWD and MBWD; differs. Source: article D3.
    """
    generator = torch.Generator().manual_seed(seed_of("picture"))
    x, y = torch.rand(2, POINTS, 2, generator=generator, dtype=torch.float64)
    whole = torch.arange(POINTS)
    batches = whole.unflatten(0, (-1, BATCH))
    frame = pd.DataFrame({"index": whole, "batch": whole // BATCH})
    frame[["x0", "x1"]], frame[["y0", "y1"]] = x.numpy(), y.numpy()
    for name, parts in (("full", whole[None]), ("minibatch", batches)):
        partner = minibatch_wasserstein(x, y, parts, parts).matching
        frame[name], frame[f"{name}_cost"] = partner.numpy(), pair_cost(x, y[partner]).numpy()
    return frame.assign(differs=frame["full"] != frame["minibatch"])
