"""The exact Wasserstein distance between the samples of two files or folders."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwgan.data.arrayfiles import SUFFIXES, read_array
from pwgan.data.files import expanded
from pwgan.data.imagefiles import image_files, is_grey, read_images
from pwgan.errors import Refused
from pwgan.options import CostName

if TYPE_CHECKING:
    import torch

    from pwgan.transport.certificate import Certificate

EXACT = 2**53  # float64 represents every integer up to this


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
    """An exact distance, its certificate, its time and memory; ``value`` and ``gap`` are in the units of the cost."""

    value: float
    gap: float
    samples: int
    dimension: int
    cost: CostName
    device: str
    rounds: int
    seconds: float
    peak_bytes: int
    a: PointSet
    b: PointSet
    certificate: Certificate | None

    def plain(self) -> dict[str, Any]:
        """Return all fields except the points as JSON types; ``error`` is the certified error bound of ``value``."""
        fields = {key: value for key, value in vars(self).items() if key not in ("a", "b", "certificate")}
        for side in ("a", "b"):
            description = {key: value for key, value in vars(getattr(self, side)).items() if key != "points"}
            fields[side] = description | {"shape": list(description["shape"])}
        if self.certificate is not None:
            fields["certificate"] = asdict(self.certificate) | {"error": self.certificate.error(self.value)}
        return fields

    def text(self) -> str:
        """Return aligned lines of name, value and meaning."""
        peak = "of the process" if self.device == "cpu" else "on the GPU"
        squared = "squared " if self.cost == "sqeuclidean" else ""
        lines = [
            ("value", repr(self.value), f"mean {squared}distance of matched samples: {'W2²' if squared else 'W1'}"),
            ("gap", f"{self.gap:.2g}", "no matching is cheaper by more than this, up to rounding"),
            ("samples", f"{self.samples}", "on each side"),
            ("dimension", f"{self.dimension}", "numbers in a sample"),
            ("cost", self.cost, ""),
            ("device", self.device, ""),
            ("time", f"{self.seconds:.2f} s", "of the solve, including the kernels, which are compiled on first use"),
            ("memory", f"{self.peak_bytes / 1e6:.1f} MB", f"{peak} at its peak"),
        ]
        if self.certificate is not None:
            proof = self.certificate
            lines += [
                ("certificate", f"{self.samples**2} pairs", "the cost of each recomputed in float64"),
                ("violation", f"{proof.violation:.2g}", "largest u_i + v_j - c_ij of all pairs"),
                ("least", repr(proof.lower), "lower bound on the optimal mean cost, rounding included"),
                ("most", repr(proof.upper), "upper bound on the mean cost of this matching, rounding included"),
                ("error", f"{proof.error(self.value):.2g}", "bound on the error of value"),
            ]
        width = max(len(value) for _, value, _ in lines)
        output = [f"{name:<12} {value:<{width}}  {meaning}".rstrip() for name, value, meaning in lines]
        for name, side in (("A", self.a), ("B", self.b)):
            shape = "×".join(str(size) for size in side.shape)
            output.append(f"{name:<12} {side.source}: {side.dtype} of shape {shape}, {side.low:.6g} to {side.high:.6g}")
        return "\n".join(output) + "\n"


def distance(
    a: PointSet, b: PointSet, cost: CostName, *, device: torch.device, certify: bool, progress: bool
) -> Distance:
    """Compute the exact EWD, W = min over permutations pi of (1/n) sum_i c(a_i, b_pi(i)); certify it if ``certify``.

    Raises ``Refused`` if squared distances overflow float64. Source: article D1.
    """
    import torch

    from pwgan.runtime import measured_cost
    from pwgan.transport.certificate import certificate
    from pwgan.transport.empirical import wasserstein

    _in_range(a, b)
    x, y = (torch.from_numpy(side.points).to(device) for side in (a, b))
    with measured_cost(device) as usage:
        transport = wasserstein(x, y, cost, device=device, progress=progress)
    proof = None
    if certify:
        proof = certificate(
            x,
            y,
            transport.matching.to(device),
            transport.row_potential,
            transport.column_potential,
            cost,
            progress=progress,
        )
    return Distance(
        value=float(transport.value),
        gap=float(transport.gap),
        samples=x.shape[0],
        dimension=x.shape[1],
        cost=cost,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        rounds=transport.rounds,
        seconds=usage.seconds,
        peak_bytes=int(usage.peak_memory_mb * 1e6),
        a=a,
        b=b,
        certificate=proof,
    )


def read_pair(a: str, b: str, first: int | None = None, *, progress: bool = False) -> tuple[PointSet, PointSet]:
    """Read two sets of equally many samples, each a folder of images, FILE.npy, FILE.npz[:NAME] or .safetensors[:NAME].

    ``first`` limits both sides to their first samples: rows of an array, images sorted by name. Values keep the units
    of the file. Pixels are 0..255, with one channel if all images of both folders are grey and three (RGB) otherwise,
    and are flattened in the order channel, row, column.

    Raises FileNotFoundError for a missing file, and ``Refused`` for unreadable files, for arrays that are complex, of
    objects, empty or one-dimensional, for counts, dimensions or sizes that differ, and for values that are not finite.
    """
    if first is not None and first < 1:
        raise Refused(f"--first takes the first N >= 1 samples of both sides, got {first}")
    places = [_locate(spec) for spec in (a, b)]
    sides = [image_files(path, tell=True) if path.is_dir() else read_array(path, name) for path, name in places]
    rows = _equally_many(sides, (a, b), first)
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


def _equally_many(sides: Sequence[Any], sources: tuple[str, str], first: int | None) -> list[Any]:
    """Truncate both sides to ``first`` samples; raises ``Refused`` for too few samples or unequal counts."""
    counts = []
    for rows, source in zip(sides, sources, strict=True):
        if not isinstance(rows, list) and rows.ndim < 2:
            raise Refused(
                f"{source} holds {rows.dtype} of shape {tuple(rows.shape)}; allowed are samples along the first of at "
                "least two axes, (n, *sample): (n, 1) where a sample is one number"
            )
        counts.append(len(rows))
    if first is None and counts[0] != counts[1]:
        raise Refused(
            f"the matching is one to one, but {sources[0]} holds {counts[0]} samples and {sources[1]} holds "
            f"{counts[1]}; --first N compares the first N of both"
        )
    for count, source in zip(counts, sources, strict=True):
        if first is not None and count < first:
            raise Refused(f"--first {first} needs {first} samples on both sides, but {source} holds {count}")
    return [rows if first is None else rows[:first] for rows in sides]


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
