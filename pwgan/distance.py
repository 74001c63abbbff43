"""The exact Wasserstein distance between the samples of two files or folders."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwgan.data.arrayfiles import SUFFIXES, read_array
from pwgan.data.files import expanded
from pwgan.data.imagefiles import image_files, is_grey, read_images
from pwgan.errors import Refused
from pwgan.limits import EXACT
from pwgan.options import CostName

if TYPE_CHECKING:
    import torch

    from pwgan.transport.certificate import Certificate
    from pwgan.transport.empirical import Plan

_MEANS: dict[CostName, tuple[str, str]] = {
    "euclidean": ("distance", ": W1"),
    "sqeuclidean": ("squared distance", ": W2²"),
    "cityblock": ("cityblock distance", ": W1"),
    "cosine": ("cosine distance", ""),
}


@dataclass(frozen=True)
class PointSet:
    """Samples read from a file or folder.

    ``points`` (n, d): float32 if that represents every value of ``dtype`` exactly, else float64. ``shape``: of one
    sample before flattening. ``low``, ``high``: smallest and largest value.
    """

    source: str
    points: np.ndarray
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float


@dataclass(frozen=True)
class Distance:
    """An exact distance, its certificate, its time and memory; ``value`` and ``gap`` are in the units of the cost.

    ``samples``: on each side, None if they differ. ``matching``: the partner in b of each sample of a, int64 (n,); for
    unequal numbers, the plan as a structured array (s,) of row (int64), column (int64) and mass (float64).
    """

    value: float
    gap: float
    least: float
    most: float
    samples: int | None
    dimension: int
    cost: CostName
    device: str
    rounds: int
    seconds: float
    peak_bytes: int
    a: PointSet
    b: PointSet
    matching: np.ndarray
    certificate: Certificate | None

    def plain(self) -> dict[str, Any]:
        """Return all fields except points and matching as JSON types, and of each side its number of ``samples``.

        ``error`` is the certified error bound of ``value``.
        """
        left_out = ("a", "b", "matching", "certificate")
        fields = {key: value for key, value in vars(self).items() if key not in left_out}
        for name, side in (("a", self.a), ("b", self.b)):
            description = {key: value for key, value in vars(side).items() if key != "points"}
            fields[name] = description | {"shape": list(side.shape), "samples": len(side.points)}
        if self.certificate is not None:
            fields["certificate"] = asdict(self.certificate) | {"error": self.certificate.error(self.value)}
        return fields

    def text(self) -> str:
        """Return aligned lines of name, value and meaning."""
        peak = "of the process" if self.device == "cpu" else "on the GPU"
        n, k = len(self.a.points), len(self.b.points)
        whole = "matching" if n == k else "plan"
        each = "on each side" if n == k else f"of A, which weigh 1/{n} each, and of B, 1/{k} each"
        pairs = "matched samples" if n == k else "the optimal plan"
        mean, symbol = _MEANS[self.cost]
        lines = [
            ("value", repr(self.value), f"mean {mean} of {pairs}{symbol}"),
            ("gap", f"{self.gap:.2g}", f"no {whole} is cheaper by more than this, rounding included"),
            ("least", repr(self.least), "lower bound on the true distance, rounding included"),
            ("most", repr(self.most), "upper bound on it"),
            ("samples", f"{n}" if n == k else f"{n}, {k}", each),
            ("dimension", f"{self.dimension}", "numbers in a sample"),
            ("cost", self.cost, ""),
            ("device", self.device, ""),
            ("time", f"{self.seconds:.2f} s", "of the solve, including the kernels, which are compiled on first use"),
            ("memory", f"{self.peak_bytes / 1e6:.1f} MB", f"{peak} at its peak"),
        ]
        if self.certificate is not None:
            proof = self.certificate
            lines += [
                ("certificate", f"{n * k} pairs", "the cost of each recomputed in float64"),
                ("violation", f"{proof.violation:.2g}", "largest u_i + v_j - c_ij of all pairs"),
                ("lower", repr(proof.lower), "lower bound on the true distance from these costs, rounding included"),
                ("upper", repr(proof.upper), f"upper bound on the mean cost of this {whole}, rounding included"),
                ("error", f"{proof.error(self.value):.2g}", "bound on the error of value"),
            ]
        width = max(len(value) for _, value, _ in lines)
        output = [f"{name:<12} {value:<{width}}  {meaning}".rstrip() for name, value, meaning in lines]
        for name, side in (("A", self.a), ("B", self.b)):
            shape = "×".join(str(size) for size in side.shape) or "1"
            output.append(f"{name:<12} {side.source}: {side.dtype} of shape {shape}, {side.low:.6g} to {side.high:.6g}")
        return "\n".join(output) + "\n"


def distance(
    a: PointSet, b: PointSet, cost: CostName, *, device: torch.device, certify: bool, progress: bool
) -> Distance:
    """Compute the exact EWD, W = min over permutations pi of (1/n) sum_i c(a_i, b_pi(i)); certify it if ``certify``.

    Of n and k samples, W is the least cost of moving masses 1/n at a to masses 1/k at b. Raises ``Refused`` if squared
    distances overflow float64, for a zero vector with the cost ``cosine``, and for numbers of samples that the solvers
    do not take. Source: article D1.
    """
    import torch

    from pwgan.runtime import measured_cost
    from pwgan.transport.certificate import certificate
    from pwgan.transport.cost import no_zero_vectors
    from pwgan.transport.empirical import Transport, wasserstein
    from pwgan.transport.unequal import Coupling, coupling

    x, y = (torch.from_numpy(side.points).to(device) for side in (a, b))
    if cost == "cosine":
        for side, points in ((a, x), (b, y)):
            no_zero_vectors(f"{side.source}, row", points)
    else:
        _in_range(a, b)
    transport: Transport[torch.Tensor] | Coupling[torch.Tensor]
    with measured_cost(device) as usage, working("matching", progress):
        if len(x) == len(y):
            transport = wasserstein(x, y, cost, device=device, progress=progress)
        else:
            try:
                transport = coupling(x, y, cost, device=device, progress=progress)
            except Refused as error:
                raise Refused(f"{error}: --first {min(len(x), len(y))}") from error
    plan = transport.plan if isinstance(transport, Coupling) else transport.matching
    proof = None
    if certify:
        with working("certificate", progress):
            potentials = transport.row_potential, transport.column_potential
            proof = certificate(x, y, plan, *potentials, cost, progress=progress)
    return Distance(
        value=float(transport.value),
        gap=float(transport.gap),
        least=float(transport.least),
        most=float(transport.most),
        samples=len(x) if len(x) == len(y) else None,
        dimension=x.shape[1],
        cost=cost,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        rounds=0 if isinstance(transport, Coupling) else transport.rounds,
        seconds=usage.seconds,
        peak_bytes=int(usage.peak_memory_mb * 1e6),
        a=a,
        b=b,
        matching=_as_array(plan),
        certificate=proof,
    )


def _as_array(plan: torch.Tensor | Plan[torch.Tensor]) -> np.ndarray:
    """Return a matching (n,), or a plan as a structured array (s,)."""
    from pwgan.transport.empirical import Plan

    if not isinstance(plan, Plan):
        return plan.cpu().numpy()
    array = np.empty(len(plan.mass), dtype=[("row", np.int64), ("column", np.int64), ("mass", np.float64)])
    for name, values in zip(array.dtype.names or (), (plan.rows, plan.columns, plan.mass), strict=True):
        array[name] = values.cpu().numpy()
    return array


def matching_file(path: Path, inputs: Iterable[str]) -> Path:
    """Return the path of a matching to be written; raises ``Refused`` if it is no .npy file or is one of the inputs."""
    if path.suffix != ".npy" or path.is_dir():
        raise Refused(f"--matching {path}: a matching is written to a file that ends in .npy")
    if path.exists() and any(_locate(spec)[0].samefile(path) for spec in inputs):
        raise Refused(f"--matching {path}: that is one of the inputs, which would be overwritten")
    return path


@contextmanager
def working(stage: str, progress: bool) -> Iterator[None]:
    """Show the name of a stage on the terminal while it lasts, above the bars of its parts."""
    from tqdm import tqdm

    with tqdm(desc=stage, bar_format="{desc}", leave=False, disable=not progress):
        yield


def read_pair(a: str, b: str, first: int | None = None, *, progress: bool = False) -> tuple[PointSet, PointSet]:
    """Read two sets of samples, each a folder of images, FILE.npy, FILE.npz[:NAME] or .safetensors[:NAME].

    ``first`` limits both sides to their first samples: rows of an array, images sorted by name. Values keep the units
    of the file. Pixels are 0..255, with one channel if all images of both folders are grey and three (RGB) otherwise,
    and are flattened in the order channel, row, column.

    Raises FileNotFoundError for a missing file, and ``Refused`` for unreadable files, for arrays that are complex, of
    objects or empty, for dimensions or sizes that differ, and for values that are not finite. An array (n,) is n
    numbers.
    """
    if first is not None and first < 1:
        raise Refused(f"--first takes the first N >= 1 samples of both sides, got {first}")
    places = [_locate(spec) for spec in (a, b)]
    sides = [image_files(path, tell=True) if path.is_dir() else read_array(path, name) for path, name in places]
    rows = [_first(side, source, first) for side, source in zip(sides, (a, b), strict=True)]
    files = [file for side in rows if isinstance(side, list) for file in side]
    channels = 1 if files and all(is_grey(file) for file in files) else 3
    x, y = (
        _points(read_images(side, channels, progress=progress) if isinstance(side, list) else side, source)
        for side, source in zip(rows, (a, b), strict=True)
    )
    _comparable(x, y)
    return x, y


def _locate(spec: str) -> tuple[Path, str | None]:
    """Split FILE.npz:NAME into path and name; raises FileNotFoundError if the path does not exist."""
    path = expanded(Path(spec))
    if path.exists():
        return path, None
    named = re.fullmatch(rf"(.+(?:{'|'.join(map(re.escape, SUFFIXES))})):(.+)", spec, re.IGNORECASE | re.DOTALL)
    name = named[2] if named else None
    path = expanded(Path(named[1])) if named else path
    if path.exists() and not path.is_dir():
        return path, name
    missing, folder = path, path.parent
    while not folder.is_dir() and folder != folder.parent:
        missing, folder = folder, folder.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(missing.name, names, n=1, cutoff=0)
    hint = f"; the nearest name in that folder is {close[0]!r}" if close else "; that folder is empty"
    raise FileNotFoundError(f"there is no {missing}{hint}")


def _first(rows: Any, source: str, first: int | None) -> Any:
    """Return the first samples, or all; raises ``Refused`` for too few samples, or for a single number."""
    if not isinstance(rows, list) and rows.ndim == 0:
        raise Refused(
            f"{source} holds one number, of shape (); allowed are samples along the first axis: (n, *sample), or (n,)"
        )
    if first is not None and len(rows) < first:
        raise Refused(f"--first {first} needs {first} samples on both sides, but {source} holds {len(rows)}")
    return rows if first is None else rows[:first]


def _points(rows: np.ndarray | torch.Tensor, source: str) -> PointSet:
    """Check samples (n, *sample) and flatten them."""
    dtype = str(rows.dtype).removeprefix("torch.")
    shape = tuple(rows.shape)
    if not isinstance(rows, np.ndarray):
        # numpy has no bfloat16; float32 represents every value of the float types that numpy lacks.
        rows = rows.numpy() if hasattr(np, dtype) else rows.float().numpy()
    if rows.dtype.kind not in "biuf" or rows.dtype.itemsize > 8 or rows.size == 0:
        raise Refused(
            f"{source} holds {dtype} of shape {shape}; allowed are one or more samples of bool, integers or floats of "
            "at most 64 bits, (n, *sample)"
        )
    low, high = rows.min(), rows.max()
    if rows.dtype.kind in "iu" and max(abs(int(low)), abs(int(high))) > EXACT:
        raise Refused(f"{source} holds integers beyond ±2^53, which float64 cannot represent exactly: {low} to {high}")
    # Copies the memory-mapped pages.
    points = rows.reshape(len(rows), -1).astype(np.float32 if np.can_cast(rows.dtype, np.float32) else np.float64)
    finite = np.isfinite(points).all(1)
    if not finite.all():
        bad = np.flatnonzero(~finite)
        raise Refused(
            f"{source}: {len(bad)} of {len(points)} samples hold values that are NaN or infinite, the first is row "
            f"{bad[0]}"
        )
    return PointSet(source, points, shape[1:], dtype, float(low), float(high))


def _in_range(x: PointSet, y: PointSet) -> None:
    """Raise ``Refused`` if squared distances overflow float64."""
    with np.errstate(over="ignore"):
        span = float(max(x.high, y.high)) - float(min(x.low, y.low))
        if not np.isfinite(np.square(np.float64(span)) * x.points.shape[1]):
            raise Refused(
                f"{x.source} and {y.source} hold values {span:.3g} apart: squared distances are infinite in float64; "
                "scale both down"
            )


def _comparable(x: PointSet, y: PointSet) -> None:
    """Raise ``Refused`` if the samples differ in dimension or shape; warn if their units probably differ."""
    if x.points.shape[1] != y.points.shape[1]:
        raise Refused(
            f"samples differ in dimension: {x.source} holds {x.points.shape[1]} numbers per sample {x.shape}, "
            f"{y.source} {y.points.shape[1]} {y.shape}"
        )
    # Axes of length 1 do not change the order of coordinates; a flat sample states no order.
    first, second = (tuple(size for size in side.shape if size != 1) for side in (x, y))
    if first != second and min(len(first), len(second)) > 1:
        raise Refused(
            f"samples differ in shape: {x.source} holds {x.shape}, {y.source} {y.shape}; flattened, their "
            "coordinates would not correspond (images of a folder are channel, row, column)"
        )
    for bytes_, other in ((x, y), (y, x)):
        if (
            bytes_.dtype == "uint8"
            and bytes_.high > 1
            and other.dtype != "uint8"
            and -1 <= other.low <= other.high <= 1
        ):
            logging.getLogger("pwgan").warning(
                "%s holds uint8 up to %g and %s %s in [-1, 1]: they are compared without conversion, but their "
                "units probably differ",
                *(bytes_.source, bytes_.high, other.source, other.dtype),
            )
