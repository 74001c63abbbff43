"""Exact transport on a GPU: what Triton's interpreter cannot show of the kernels, at the sizes they are for."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from pwgan.transport.cost import cost

pytestmark = pytest.mark.gpu

CUDA = torch.device("cuda")


def clouds(kind: str, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(sum(shape))
    x, y = torch.randn(2, *shape, dtype=torch.float64, generator=draw)
    if kind == "collapsed":
        y = y[..., :1, :] + 1e-3 * y
    elif kind == "duplicates":
        y = y[..., torch.randint(0, max(1, shape[-2] // 4), (shape[-2],), generator=draw), :]
    elif kind == "ties":
        x, y = x.round(), y.round()
    elif kind == "far":
        x, y = x + 1e6, y + 1e6
    return x, y


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["cloud", "collapsed", "duplicates", "ties", "far"])
@pytest.mark.parametrize("shape", [(3, 1, 2), (5, 2, 2), (200, 16, 2), (300, 64, 32), (20, 256, 2), (4, 1024, 8)])
def test_batches_are_matched_as_scipy_matches_them(shape, kind, dtype):
    from pwgan.transport.solvers.gpu_batched import solve_batched

    x, y = clouds(kind, *shape)
    costs = cost(x, y).to(dtype)
    answers = [part.cpu().numpy() for part in solve_batched(costs.to(CUDA))]
    rows = np.arange(shape[1])
    for c, columns, u, v in zip(costs.double().numpy(), *answers, strict=True):
        assert np.array_equal(np.sort(columns), rows)
        optimum = c[linear_sum_assignment(c)].mean()
        assert abs(c[rows, columns].mean() - optimum) <= 1e-9 * max(optimum, 1e-3 * c.mean())
        rounding = 1e-12 * c.max()
        slack = c - u[:, None] - v
        assert slack.min() >= -rounding and slack[rows, columns].max() <= rounding


def test_the_largest_problems_are_solved():
    from pwgan.transport.solvers.gpu_batched import LARGEST, solve_batched

    costs = torch.rand(2, LARGEST, LARGEST, generator=torch.Generator().manual_seed(0))
    columns, u, v = solve_batched(costs.to(CUDA))
    assert torch.equal(columns.sort(-1).values.cpu(), torch.arange(LARGEST).expand(2, -1))
    value = costs.double().gather(-1, columns.cpu().unsqueeze(-1)).sum((-2, -1))
    torch.testing.assert_close((u + v).sum(-1).cpu(), value, rtol=1e-9, atol=0)


def test_the_same_batch_has_the_same_answer():
    # Threads that read what others have not written yet would show here.
    from pwgan.transport.solvers.gpu_batched import solve_batched

    costs = cost(*clouds("ties", 500, 100, 2)).to(CUDA)
    first = solve_batched(costs)
    for _ in range(20):
        assert all(torch.equal(one, other) for one, other in zip(first, solve_batched(costs), strict=True))


@pytest.mark.parametrize(("count", "rows", "chunks"), [(1, 1, 1), (70, 200, 3), (64, 64, 1000), (3, 5, 4099)])
def test_chunk_minima_are_those_of_the_reference(count, rows, chunks):
    from pwgan.transport.solvers.gpu_screen import CHUNK, chunk_minima, chunk_minima_reference

    draw = torch.Generator().manual_seed(0)
    codes = torch.randint(-32768, 32768, (count, chunks, CHUNK), generator=draw).to(CUDA, torch.int16)
    index = torch.randint(0, count, (rows,), generator=draw).to(CUDA)
    step, price = torch.rand(count, generator=draw).to(CUDA), torch.randn(chunks, CHUNK, generator=draw).to(CUDA)
    found = chunk_minima(codes, index, step, price)
    assert torch.equal(found, chunk_minima_reference(codes, index, step, price))


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("kind", ["cloud", "collapsed", "duplicates", "ties", "far"])
@pytest.mark.parametrize(("n", "d", "k"), [(50, 3, 50), (3000, 2, 32), (3000, 784, 32)])
def test_scans_bound_every_key_left_out(n, d, k, kind, stored, monkeypatch):
    from pwgan.transport.solvers import gpu_screen

    if not stored:
        monkeypatch.setattr(gpu_screen, "_free_bytes", lambda device: 0)
    x, y = (side.to(CUDA) for side in clouds(kind, n, d))
    costs = cost(x, y)
    v = costs.amin(0) + 0.1 * costs.std() * torch.rand(n, dtype=torch.float64, device=CUDA)
    rows = torch.randperm(n, device=CUDA)[:1000]
    columns, listed, bound = gpu_screen.GpuScreen(x, y, "euclidean").scan(rows, v, k)
    keys = costs[rows] - v
    torch.testing.assert_close(listed, costs[rows].gather(1, columns.long()), rtol=1e-12, atol=1e-12)
    rest = keys.scatter(1, columns.long(), torch.inf).amin(1)
    rounding = 1e-12 * float(costs.max())
    assert (bound <= rest + rounding).all()
    assert (keys.gather(1, columns.long()).amin(1) <= bound + rounding).all()
    assert k < n or bound.isinf().all()


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean", "cityblock", "cosine"])
@pytest.mark.parametrize(("n", "k", "d"), [(300, 300, 40), (300, 300, 1), (200, 300, 3), (211, 89, 3)])
def test_tensors_of_a_gpu_stay_there_and_have_the_value_of_the_cpu(cost, n, k, d):
    import pwgan

    if (n, k) == (211, 89):
        pytest.importorskip("ot", reason="needs pwgan[emd]")
    x, y = clouds("cloud", n, d)[0], clouds("cloud", k, d)[1]
    here, there = pwgan.wasserstein(x, y, cost), pwgan.wasserstein(x.to(CUDA).requires_grad_(), y.to(CUDA), cost)
    assert there.value.is_cuda and there.row_potential.is_cuda and there.value.requires_grad
    assert float(there.value) == pytest.approx(float(here.value), rel=1e-9)
    assert abs(float(there.gap)) <= 1e-9 * float(here.value)
