"""What tests of losses share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch


@pytest.fixture
def check_diverged() -> Callable[..., None]:
    """Return a check that a seed with a sample that is not finite shows, and leaves the others as they were."""

    def check(
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        real: torch.Tensor,
        fake: torch.Tensor,
        bad: float,
        row: int = 2,
    ) -> None:
        found = []
        for spoil in (False, True):
            made = fake.clone()
            if spoil:
                made[1, row] = bad
            losses = loss(real, made.requires_grad_())
            losses[[0, 2]].sum().backward()
            found.append((losses, made.grad))
        (whole, slope), (hurt, other) = found
        assert hurt.dtype == fake.dtype and not hurt[1].isfinite()
        assert torch.equal(hurt[[0, 2]], whole[[0, 2]]) and torch.equal(other[[0, 2]], slope[[0, 2]])

    return check
