"""The exact Wasserstein distance between the samples of two files or folders, for people who train nothing here."""

from __future__ import annotations

import difflib
import logging
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwgan.data.files import channels_first, image_files, upright
from pwgan.errors import Refused
from pwgan.options import CostName, one_of

if TYPE_CHECKING:
    import torch

    from pwgan.transport.certificate import Certificate

ARRAYS = (".npy", ".npz", ".safetensors")
EXACT = 2**53  # up to here float64 holds every integer


@dataclass(frozen=True)
class PointSet:
    """Samples that were read: ``points`` (n, d), float32 where that holds every value of ``dtype``, else float64.

    ``shape``: of one sample, before it was flattened. ``low``, ``high``: the smallest and largest value.
    """

    source: str
    points: np.ndarray
    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float


@dataclass(frozen=True)
class Distance:
    """An exact distance with what proves it and what it took; ``value`` and ``gap`` in the units of the cost."""

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
        """Return all of it but the points, as JSON can hold it; ``error`` is the certificate's, of ``value``."""
        fields = {key: value for key, value in vars(self).items() if key not in ("a", "b", "certificate")}
        for side in ("a", "b"):
            given = {key: value for key, value in vars(getattr(self, side)).items() if key != "points"}
            fields[side] = given | {"shape": list(given["shape"])}
        if self.certificate is not None:
            fields["certificate"] = asdict(self.certificate) | {"error": self.certificate.error(self.value)}
        return fields

    def text(self) -> str:
        """Return it as aligned lines: a name, what was found, and what that is."""
        peak = "of the process" if self.device == "cpu" else "on the GPU"
        squared = "squared " if self.cost == "sqeuclidean" else ""
        lines = [
            ("value", repr(self.value), f"mean {squared}distance of matched samples: {'W2²' if squared else 'W1'}"),
            ("gap", f"{self.gap:.2g}", "no matching is cheaper by more than this, up to rounding"),
            ("samples", f"{self.samples}", "on each side"),
            ("dimension", f"{self.dimension}", "numbers in a sample"),
            ("cost", self.cost, ""),
            ("device", self.device, ""),
            ("time", f"{self.seconds:.2f} s", "of the solve, with loading its kernels, which the first use compiles"),
            ("memory", f"{self.peak_bytes / 1e6:.1f} MB", f"{peak} at its peak"),
        ]
        if self.certificate is not None:
            proof = self.certificate
            lines += [
                ("certificate", f"{self.samples**2} pairs", "each priced anew in float64"),
                ("violation", f"{proof.violation:.2g}", "largest u_i + v_j - c_ij of all pairs"),
                ("least", repr(proof.lower), "no matching has a smaller mean cost, rounding included"),
                ("most", repr(proof.upper), "this matching has no larger one, rounding included"),
                ("error", f"{proof.error(self.value):.2g}", "value is off by at most this"),
            ]
        width = max(len(found) for _, found, _ in lines)
        told = [f"{name:<12} {found:<{width}}  {meaning}".rstrip() for name, found, meaning in lines]
        for name, side in (("A", self.a), ("B", self.b)):
            shape = "×".join(str(size) for size in side.shape)
            told.append(f"{name:<12} {side.source}: {side.dtype} of shape {shape}, {side.low:.6g} to {side.high:.6g}")
        return "\n".join(told) + "\n"


def distance(
    a: PointSet, b: PointSet, cost: CostName, *, device: torch.device, certify: bool, progress: bool
) -> Distance:
    """Solve for the exact EWD, W = min over permutations pi of (1/n) sum_i c(a_i, b_pi(i)), and certify it if asked to.

    Raises ``Refused`` for points so far apart that their squared distances overflow. Source: article D1.
    """
    import torch

    from pwgan.runtime import measured_cost
    from pwgan.transport.certificate import certificate
    from pwgan.transport.empirical import wasserstein

    _in_range(a, b)
    x, y = (torch.from_numpy(side.points).to(device) for side in (a, b))
    with measured_cost(device) as taken:
        found = wasserstein(x, y, cost, device=device, progress=progress)
    proof = None
    if certify:
        proof = certificate(
            x, y, found.matching.to(device), found.row_potential, found.column_potential, cost, progress=progress
        )
    return Distance(
        value=float(found.value),
        gap=float(found.gap),
        samples=x.shape[0],
        dimension=x.shape[1],
        cost=cost,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        rounds=found.rounds,
        seconds=taken.seconds,
        peak_bytes=int(taken.peak_memory_mb * 1e6),
        a=a,
        b=b,
        certificate=proof,
    )


def read_pair(a: str, b: str, first: int | None = None, *, progress: bool = False) -> tuple[PointSet, PointSet]:
    """Read two sets of equally many samples, each a folder of images, FILE.npy, FILE.npz[:NAME] or .safetensors[:NAME].

    ``first`` takes the first so many of both: rows of an array, images in the order of their sorted names. Values keep
    the units of the file; pixels are 0..255, of one channel if all images of both folders are grey and of three (RGB)
    if not, and are flattened in the order channel, row, column.

    Raises FileNotFoundError, and ``Refused`` for what cannot be read, for arrays that are complex, of objects, empty or
    of one axis, for counts, dimensions or sizes that differ, and for values that are not finite.
    """
    if first is not None and first < 1:
        raise Refused(f"--first takes the first N >= 1 samples of both sides, given {first}")
    places = [_locate(spec) for spec in (a, b)]
    found = [image_files(path) if path.is_dir() else _array(path, name) for path, name in places]
    rows = _equally_many(found, (a, b), first)
    files = [file for side in rows if isinstance(side, list) for file in side]
    channels = 1 if files and all(_is_grey(file) for file in files) else 3
    x, y = (
        _points(_images(side, channels, progress) if isinstance(side, list) else side, source)
        for side, source in zip(rows, (a, b), strict=True)
    )
    _comparable(x, y)
    return x, y


def _locate(spec: str) -> tuple[Path, str | None]:
    """Part FILE.npz:NAME, and see that the file or folder exists."""
    path = Path(spec).expanduser()
    if path.exists():
        return path, None
    named = re.fullmatch(rf"(.+(?:{'|'.join(map(re.escape, ARRAYS))})):(.+)", spec, re.IGNORECASE | re.DOTALL)
    name = named[2] if named else None
    path = Path(named[1]).expanduser() if named else path
    if path.is_file():
        return path, name
    missing, folder = path, path.parent
    while not folder.is_dir() and folder != folder.parent:
        missing, folder = folder, folder.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(missing.name, names, n=1, cutoff=0)
    hint = f"; the nearest name in that folder is {close[0]!r}" if close else "; that folder is empty"
    raise FileNotFoundError(f"there is no {missing}{hint}")


def _array(path: Path, name: str | None) -> np.ndarray | torch.Tensor:
    """Read the one array of a file, or the one that is named; no code that a file may hold is run."""
    from safetensors import SafetensorError

    if path.suffix.lower() not in ARRAYS:
        raise Refused(f"{path} is neither a folder of images nor a file of an array: {', '.join(ARRAYS)}")
    try:
        return _safetensors(path, name) if path.suffix.lower() == ".safetensors" else _numpy(path, name)
    except Refused:
        raise
    # What numpy and zipfile raise for damaged files; a pickled array is a ValueError.
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, SafetensorError) as error:
        raise Refused(f"{path} cannot be read as arrays of numbers ({path.suffix}): {error}") from error


def _chosen(path: Path, names: Sequence[str], name: str | None) -> str:
    if name is None:
        if len(names) == 1:
            return names[0]
        raise Refused(
            f"{path} holds {len(names)} arrays: write {path}:NAME, NAME one of {', '.join(sorted(names)) or 'none'}"
        )
    return one_of(name, names, f"array of {path}")


def _numpy(path: Path, name: str | None) -> np.ndarray:
    # Mapped, so that the first few rows of a large file are read alone.
    given = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(given, np.ndarray):
        if name is not None:
            raise Refused(f"{path} holds one array, which has no name: leave out ':{name}'")
        return given
    with given:
        return given[_chosen(path, given.files, name)]


def _safetensors(path: Path, name: str | None) -> torch.Tensor:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.get_tensor(_chosen(path, list(file.keys()), name))


def _equally_many(found: Sequence[Any], sources: tuple[str, str], first: int | None) -> list[Any]:
    """Cut both sides to the first so many, or see that they are equally many."""
    counts = []
    for rows, source in zip(found, sources, strict=True):
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
            raise Refused(f"--first {first} needs so many samples on both sides, but {source} holds {count}")
    return [rows if first is None else rows[:first] for rows in found]


def _points(rows: np.ndarray | torch.Tensor, source: str) -> PointSet:
    """Check samples (n, *sample) and flatten them."""
    dtype = str(rows.dtype).removeprefix("torch.")
    shape = tuple(rows.shape)
    if not isinstance(rows, np.ndarray):
        # numpy has no bfloat16; float32 holds every value of the floats that it lacks.
        rows = rows.numpy() if hasattr(np, dtype) else rows.float().numpy()
    if rows.dtype.kind not in "biuf" or rows.dtype.itemsize > 8 or rows.size == 0:
        raise Refused(
            f"{source} holds {dtype} of shape {shape}; allowed are one or more samples of bool, integers or floats of "
            "at most 64 bits, (n, *sample)"
        )
    low, high = rows.min(), rows.max()
    if rows.dtype.kind in "iu" and max(abs(int(low)), abs(int(high))) > EXACT:
        raise Refused(f"{source} holds integers beyond ±2^53, which float64 cannot tell apart: {low} to {high}")
    # Mapped pages are copied here.
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
    """Refuse points whose squared distances are infinite in float64."""
    with np.errstate(over="ignore"):
        reach = float(max(x.high, y.high)) - float(min(x.low, y.low))
        if not np.isfinite(np.square(np.float64(reach)) * x.points.shape[1]):
            raise Refused(
                f"{x.source} and {y.source} hold values {reach:.3g} apart: squared distances are infinite in float64; "
                "scale both down"
            )


def _comparable(x: PointSet, y: PointSet) -> None:
    """Refuse samples whose numbers do not stand in the same places; warn of units that are likely not the same."""
    if x.points.shape[1] != y.points.shape[1]:
        raise Refused(
            f"samples differ in dimension: {x.source} holds {x.points.shape[1]} numbers per sample {x.shape}, "
            f"{y.source} {y.points.shape[1]} {y.shape}"
        )
    # Axes of length 1 and flat samples leave the order of the numbers as it is.
    first, second = (tuple(size for size in side.shape if size != 1) for side in (x, y))
    if first != second and min(len(first), len(second)) > 1:
        raise Refused(
            f"samples differ in shape: {x.source} holds {x.shape}, {y.source} {y.shape}; flattened, their numbers "
            "would stand in different places (images of a folder are channel, row, column)"
        )
    for bytes_, other in ((x, y), (y, x)):
        if (
            bytes_.dtype == "uint8"
            and bytes_.high > 1
            and other.dtype != "uint8"
            and -1 <= other.low <= other.high <= 1
        ):
            logging.getLogger("pwgan").warning(
                "%s holds uint8 up to %g and %s %s in [-1, 1]: they are compared as they are, but are likely not in "
                "the same units",
                *(bytes_.source, bytes_.high, other.source, other.dtype),
            )


def _is_grey(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as file:
            return file.mode in ("1", "L", "LA")
    except (OSError, Image.DecompressionBombError) as error:
        raise Refused(f"{path} cannot be read as an image: {error}") from error


def _images(paths: Sequence[Path], channels: int, progress: bool) -> np.ndarray:
    """Read images of one size as uint8 (n, channels, height, width), upright, not resized."""
    from concurrent.futures import ThreadPoolExecutor

    from tqdm import tqdm

    images = np.empty(0, dtype=np.uint8)
    # Pillow decodes outside the interpreter's lock, so threads are enough.
    pool = ThreadPoolExecutor()
    try:
        decoded = pool.map(lambda path: channels_first(upright(path, channels), channels), paths)
        bar = tqdm(decoded, "images", len(paths), leave=False, disable=not progress)
        for index, image in enumerate(bar):
            if index == 0:
                images = np.empty((len(paths), *image.shape), dtype=np.uint8)
            elif image.shape != images[0].shape:
                size, other = images[0].shape[1:], image.shape[1:]
                raise Refused(
                    f"images of a folder must be of one size, but {paths[0]} is {size[1]}×{size[0]} and {paths[index]} "
                    f"{other[1]}×{other[0]} pixels; resizing changes the distance, so do it beforehand"
                )
            images[index] = image
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or an interrupt, the other thousands are not waited for
    return images
