"""Scans of rows against costs in extended precision: no key left out may lie below the bound, whatever the points."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

triton = pytest.importorskip("triton")

from pwgan.transport.cost import cost as cost_matrix  # noqa: E402
from pwgan.transport.solvers import gpu_screen  # noqa: E402
from pwgan.transport.solvers.gpu_screen import CHUNK, GpuScreen, chunk_minima_reference  # noqa: E402

KINDS = (
    "cloud",
    "far",
    "tiny",
    "duplicates",
    "one point",
    "outlier",
    "range",
    "clusters",
    "equal terms",
    "near",
    "whole",
)
COSTS = st.sampled_from(["euclidean", "sqeuclidean"])


def sides(kind: str, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Two sets of points (2, n, d) that float32 finds easy or not."""
    z = rng.normal(size=(2, n, d))
    if kind == "far":
        z = 1e8 + 1e-3 * z
    elif kind == "tiny":
        z = z * 10.0 ** rng.integers(-250, -20)
    elif kind == "duplicates":
        z = z[:, rng.integers(0, (n + 2) // 3, n)]
        z[1, : n // 2] = z[0, : n // 2]
    elif kind == "one point":
        z[1] = z[1, 0]
    elif kind == "outlier":
        z[rng.integers(2), rng.integers(n)] *= 10.0 ** rng.integers(3, 15)
    elif kind == "range":
        z = z * 10.0 ** rng.uniform(-15, 15, z.shape)
    elif kind == "clusters":
        z = 1e-5 * z + rng.choice([-1.0, 1.0], (2, n, 1)) + 1e-9
    elif kind == "equal terms":
        z = (1 + rng.integers(0, 4, (2, n, 1)) * 2.0**-14) / 3 + np.zeros(d)
        z[0, 0], z[1, 0] = 1, -1
    elif kind == "whole":
        z = np.round(9 * z)
    elif kind == "near":
        z[1] = z[0] + 1e-6 * z[1]
    return z


def exact_costs(x: np.ndarray, y: np.ndarray, name: str) -> np.ndarray:
    """Costs (n, n) in extended precision, by direct differences."""
    square = np.stack([((row.astype(np.longdouble) - y) ** 2).sum(-1) for row in x])
    return square if name == "sqeuclidean" else np.sqrt(square)


def potential(kind: str, costs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scale = float(costs.max())
    if kind == "none":
        return np.zeros(len(costs))
    if kind == "column minima":
        return costs.min(0).astype(float)
    v = scale * rng.normal(size=len(costs))
    if kind == "shifted":
        return 1e6 * scale + v
    if kind == "wild":
        v[rng.integers(len(v), size=3)] *= 1e9
    return v


def check(screen: GpuScreen, rows: np.ndarray, costs: np.ndarray, v: np.ndarray, k: int) -> None:
    columns, found, bound = screen.scan(torch.tensor(rows), torch.tensor(v), k)
    assert columns.shape == found.shape == (len(rows), k) and bound.shape == (len(rows),)
    assert columns.dtype == torch.int32 and found.dtype == bound.dtype == torch.float64
    n = costs.shape[1]
    for i, own, listed, least in zip(rows, columns.numpy(), found.numpy(), bound.numpy(), strict=True):
        assert len(set(own.tolist())) == k and own.min() >= 0 and own.max() < n
        # float64's own: of the cost (a sum of squares, each underflowing at 2^-1074) and of its difference to v.
        rounding = 2.0**-50 * (costs[i] * (1 + screen._x.shape[1] / 8) + np.abs(v)) + 2.0**-530
        np.testing.assert_array_less(np.abs(listed - costs[i, own]), 2 * rounding[own])
        keys = costs[i] - v
        rest = np.setdiff1d(np.arange(n), own)
        assert (least <= keys[rest] + rounding[rest]).all()
        if k == n:
            assert least == np.inf
        else:
            assert (keys[own] - rounding[own]).min() <= least < np.inf


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 140),
    st.sampled_from([1, 2, 3, 16, 17, 40, 300]),
    COSTS,
    st.sampled_from(["none", "column minima", "shifted", "wild", "free"]),
    st.booleans(),
    st.integers(0, 2**32),
    st.data(),
)
def test_no_key_left_out_lies_below_the_bound(kind, n, d, name, prices, stored, seed, data):
    rng = np.random.default_rng(seed)
    x, y = sides(kind, n, d, rng)
    costs = exact_costs(x, y, name)
    k = data.draw(st.one_of(st.integers(1, n), st.integers(1, min(n, 3))))
    with pytest.MonkeyPatch.context() as patch:
        if not stored:
            patch.setattr(gpu_screen, "_free_bytes", lambda device: 0)
        screen = GpuScreen(torch.tensor(x), torch.tensor(y), name)
        rows = rng.integers(0, n, size=rng.integers(1, 5))
        check(screen, rows, costs, potential(prices, costs, rng), k)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(KINDS), st.integers(1, 60), st.sampled_from([1, 16, 17, 300, 900]), COSTS, st.integers(0, 2**32))
def test_stored_bounds_never_exceed_the_cost(kind, n, d, name, seed):
    x, y = sides(kind, n, d, np.random.default_rng(seed))
    screen = GpuScreen(torch.tensor(x), torch.tensor(y), name)
    costs = exact_costs(x, y, name) / screen._unit
    bounds = screen._bounds(torch.arange(n)).numpy()
    assert (bounds <= costs).all()
    codes, low, step = screen._store
    codes = codes.flatten(1)[:, :n].numpy().astype(np.longdouble) + 32768
    decoded = low.numpy()[:, None] + step.numpy().astype(np.longdouble)[:, None] * codes
    assert (decoded <= bounds).all() and codes.min() >= 0 and codes.max() <= 65535


@pytest.mark.parametrize("d", [2, 17, 200])
@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean"])
def test_the_screening_alone_is_tight_on_ordinary_points(d, name, monkeypatch):
    n, k = 1500, 8
    x, y = torch.tensor(np.random.default_rng(d).normal(size=(2, n, d)))
    screen = GpuScreen(x, y, name)
    monkeypatch.setattr(GpuScreen, "_exact", lambda *_: pytest.fail("scanned in float64"))
    costs = cost_matrix(x, y, name)
    spread = costs.std()
    v = costs.amin(0) + 0.1 * spread * torch.rand(n, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(0, n, 7)
    columns, _, bound = screen.scan(rows, v, k)
    least = (costs[rows] - v).topk(k + 1, largest=False)
    assert (columns.sort(1).values == least.indices[:, :k].sort(1).values).double().mean() > 0.98
    assert (bound <= least.values[:, k]).all() and (bound > least.values[:, k] - 2e-3 * spread).all()


def test_a_row_too_loose_for_float32_is_scanned_in_float64():
    # Two clusters 1e7 widths apart: float32 cannot tell the members of one from each other.
    rng = np.random.default_rng(0)
    x, y = torch.tensor(rng.normal(size=(2, 200, 40)) + 1e7 * np.sign(rng.normal(size=(2, 200, 1))))
    columns, costs, bound = GpuScreen(x, y, "euclidean").scan(torch.arange(200), torch.zeros(200).double(), 5)
    least = cost_matrix(x, y).topk(6, largest=False)
    assert torch.equal(columns.long(), least.indices[:, :5])
    assert torch.equal(costs, least.values[:, :5]) and torch.equal(bound, least.values[:, 5])


def test_storing_or_recomputing_and_the_size_of_a_block_change_nothing(monkeypatch):
    x, y = torch.tensor(np.random.default_rng(1).normal(size=(2, 90, 20)))
    v, rows = torch.linspace(-1, 1, 90).double(), torch.tensor([5, 89, 5, 0, 17])
    stored = GpuScreen(x, y, "euclidean")
    monkeypatch.setattr(gpu_screen, "_free_bytes", lambda device: 2 * 90 * 96)
    monkeypatch.setattr(gpu_screen, "_WORKSPACE", 1)
    recomputed = GpuScreen(x, y, "euclidean")
    assert stored._store and not recomputed._store
    for one, other in zip(stored.scan(rows, v, 9), recomputed.scan(rows, v, 9), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=0)  # products round as their blocks are cut


@pytest.mark.parametrize("k", [0, 31])
def test_a_list_is_no_longer_than_there_are_columns(k):
    screen = GpuScreen(torch.rand(30, 3), torch.rand(30, 3), "euclidean")
    with pytest.raises(ValueError, match=f"between 1 and the number of columns 30, got {k}"):
        screen.scan(torch.arange(3), torch.zeros(30).double(), k)


def test_products_are_of_float32_whatever_is_allowed_elsewhere():
    allowed = torch.get_float32_matmul_precision()
    x, y = torch.rand(2, 50, 64)
    expected = GpuScreen(x, y, "euclidean")._bounds(torch.arange(50))
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(GpuScreen(x, y, "euclidean")._bounds(torch.arange(50)), expected)
        with gpu_screen._full_precision(torch.device("cpu")):
            assert torch.backends.cuda.matmul.fp32_precision == "ieee"
            assert torch.backends.mkldnn.matmul.fp32_precision == "ieee"
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    finally:
        torch.set_float32_matmul_precision(allowed)


INTERPRETED = """
import sys, torch
from pwgan.transport.solvers.gpu_screen import chunk_minima  # noqa: E402
torch.save([chunk_minima(*case) for case in torch.load(sys.argv[1], weights_only=True)], sys.argv[2])
"""


def test_the_kernel_finds_the_minima_of_the_reference(tmp_path):
    # Triton reads how to run kernels when it is imported: its interpreter needs a process of its own.
    draw = torch.Generator().manual_seed(0)
    cases = []
    for rows, count, chunks in [(1, 1, 1), (5, 7, 3), (9, 4, 70), (4, 2, 129)]:
        codes = torch.randint(-32768, 32768, (count, chunks, CHUNK), generator=draw).to(torch.int16)
        price = torch.randn(chunks, CHUNK, generator=draw) * 100
        price[-1, 5:] = -torch.inf
        cases.append(
            (codes, torch.randint(0, count, (rows,), generator=draw), torch.rand(count, generator=draw), price)
        )
    torch.save(cases, tmp_path / "cases.pt")
    command = [sys.executable, "-c", INTERPRETED, str(tmp_path / "cases.pt"), str(tmp_path / "found.pt")]
    subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, check=True, timeout=120)
    for case, found in zip(cases, torch.load(tmp_path / "found.pt", weights_only=True), strict=True):
        assert torch.equal(found, chunk_minima_reference(*case))


def test_the_kernel_compiles_for_an_h100(tmp_path, monkeypatch):
    # The interpreter forgives what the compiler does not; compiling needs no GPU.
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kinds = dict.fromkeys(("step", "price", "minima"), "*fp32") | {"codes": "*i16", "rows": "*i64"}
    kinds |= {"count": "i32", "chunks": "i32", "ROWS": "constexpr", "CHUNKS": "constexpr", "WIDTH": "constexpr"}
    source = ASTSource(gpu_screen._chunk_minima_kernel, kinds, {"ROWS": 4, "CHUNKS": 64, "WIDTH": CHUNK})
    options = {"num_warps": 4, "enable_fp_fusion": False}
    assert triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["cubin"]
