"""The public functions: NumPy arrays, lists and tensors in, and results of the same kind out."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch

from pwgan.errors import Refused
from pwgan.limits import EXACT
from pwgan.options import CostName
from pwgan.transport import assignment, empirical
from pwgan.transport.assignment import Matching
from pwgan.transport.empirical import Transport
from pwgan.transport.unequal import Coupling, coupling


def wasserstein(
    x: Any,
    y: Any,
    cost: CostName = "euclidean",
    *,
    device: torch.device | str | None = None,
    potentials: tuple[Any, Any] | None = None,
    progress: bool = False,
) -> Transport[Any] | Coupling[Any]:
    """Exact Wasserstein distance between two sets of points, with its matching or plan and a certificate.

    min over plans P >= 0 with row sums 1/n and column sums 1/k of sum_ij P_ij c(x_i, y_j), in float64.

    x (..., n, d), y (..., k, d): NumPy arrays, what NumPy can make arrays of (lists, data frames), or tensors on any
    device. (n,) are n points on a line. Integers, truth values and floats of less than 32 bits are taken as float64.
    The result holds tensors on the device of x if x or y is a tensor, else NumPy arrays.

    The result has ``value`` (...,), ``plan``, ``row_potential`` (..., n), ``column_potential`` (..., k) and ``gap``
    (...,). For n = k an optimal plan is a matching, and the result is a ``Transport``, which has the ``matching``
    (..., n) too. For n != k, without leading axes, it is a ``Coupling``. Of tensors, the value is differentiable: its
    gradient is that of the matched pairs (envelope theorem), 0 where they coincide.

    ``cost``: euclidean, sqeuclidean, cityblock or cosine. ``device``: of the solve, default that of x. ``potentials``:
    (u, v) of a similar problem with n = k, for a warm start. ``progress``: show bars. Raises ``Refused``, a ValueError,
    for input that is not real numbers, not finite, or has no distance, and for sizes that are too large for the cost
    or for unequal numbers; see ``pwgan.transport.empirical.wasserstein`` and ``pwgan.transport.unequal.coupling``.
    """
    tensors = isinstance(x, torch.Tensor) or isinstance(y, torch.Tensor)
    x, y = (_points(name, side) for name, side in (("x", x), ("y", y)))
    device = None if device is None else torch.device(device)
    result: Transport[torch.Tensor] | Coupling[torch.Tensor]
    if x.ndim == y.ndim == 2 and len(x) != len(y):
        if potentials is not None:
            raise Refused(f"potentials are for equal numbers of points, got {len(x)} and {len(y)}")
        result = coupling(x, y, cost, device=device, progress=progress)
    else:
        if potentials is not None:
            potentials = _tensor("potentials", potentials[0]), _tensor("potentials", potentials[1])
        result = empirical.wasserstein(x, y, cost, device=device, potentials=potentials, progress=progress)
    return result if tensors else _as_arrays(result)


def solve(cost: Any) -> Matching[Any]:
    """Solve the assignment problem of a cost matrix; return the matching with potentials and duality gap.

    max over u, v of mean(u) + mean(v) subject to u_i + v_j <= c_ij  equals  min over pi of mean_i c_{i, pi(i)}.

    cost (..., n, n): of the kinds that ``wasserstein`` takes; the result is of the same kind, its numbers float64.
    Raises ``Refused`` or ValueError for a cost that is not real, not square, empty or not finite. Source: article D1.
    """
    solved = assignment.solve(_tensor("cost", cost))
    return solved if isinstance(cost, torch.Tensor) else _as_arrays(solved)


def _points(name: str, value: Any) -> torch.Tensor:
    points = _tensor(name, value)
    if points.ndim == 0:
        raise Refused(f"{name} is one number; points are (..., n, d), or (n,) on a line")
    return points.unsqueeze(-1) if points.ndim == 1 else points


def _tensor(name: str, value: Any) -> torch.Tensor:
    """Return real numbers as a float32 or float64 tensor; raises ``Refused`` for anything else."""
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.layout != torch.strided:
            raise Refused(f"{name} must be a dense tensor of real numbers, got {value.dtype}, {value.layout}")
        if value.dtype in (torch.float32, torch.float64):
            return value
        if not value.is_floating_point() and value.dtype != torch.bool:
            _check_integers(name, value.cpu().numpy())
        return value.double()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise Refused(f"{name} cannot be made an array: its rows differ in length, or hold no numbers") from error
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8 or np.ma.is_masked(value):
        kind = "masked values" if np.ma.is_masked(value) else str(array.dtype)
        raise Refused(f"{name} must hold truth values, integers or floats of at most 64 bits, got {kind}")
    if array.dtype.kind in "iu":
        _check_integers(name, array)
    dtype = np.float32 if array.dtype.kind == "f" and array.dtype.itemsize == 4 else np.float64
    # torch takes native, writable arrays only; others are copied.
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))


def _check_integers(name: str, values: np.ndarray) -> None:
    """Raise ``Refused`` if an integer has no exact float64."""
    if values.size and max(abs(int(values.min())), abs(int(values.max()))) > EXACT:
        raise Refused(f"{name} holds integers beyond ±2^53, which float64 cannot represent exactly")


def _as_arrays(result: Any) -> Any:
    """Return a result with NumPy arrays, and NumPy numbers for those without axes, in place of its tensors."""
    changed = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if isinstance(value, torch.Tensor):
            changed[field.name] = value.detach().cpu().numpy()[()]
        elif is_dataclass(value):
            changed[field.name] = _as_arrays(value)
    return replace(result, **changed)
