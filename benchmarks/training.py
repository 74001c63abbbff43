"""Training speed: seed-steps/s and images/s against a plain PyTorch loop that trains one seed.

    python benchmarks/training.py --out docs/measurements/training.md
    python benchmarks/training.py --device cuda

The plain loop is what one would write for one seed: the same layers from torch.nn, torch.optim.Adam, mini-batches drawn
with replacement, and for pwgan torch.cdist and scipy's linear_sum_assignment. Ours trains all seeds of a block. Both
train from the data on the device, in alternating order; the median of the ratios of their times for a step of one seed
is printed. Times are CPU seconds of one thread, of a GPU wall seconds. Images are the digits of scikit-learn, enlarged.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pages
import torch
import torch.nn.functional as F
from costs import images, machine, now
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from pwgan.cells import Training
from pwgan.data.store import StoredData, read_data, write_data
from pwgan.networks.layers.dcgan import levels
from pwgan.study import parse_study
from pwgan.training.loop import Trainer

METHODS = ("nsgan", "pwgan")
CASES: list[tuple[dict[str, Any], int, int, int]] = [
    ({"name": "mlp", "width": 128, "depth": 3}, 8, 64, 8),
    ({"name": "dcgan", "width": 16}, 8, 64, 8),
    ({"name": "dcgan", "width": 16}, 28, 64, 4),
    ({"name": "dcgan", "width": 32}, 28, 64, 4),
    ({"name": "dcgan", "width": 32}, 28, 256, 2),
    ({"name": "resnet", "width": 32}, 28, 64, 2),
]
"""Network, pixels, m, seeds."""
LATENT = 32


def cell(network: dict[str, Any], size: int, m: int, seeds: int, method: str) -> Training:
    """Return one cell of images."""
    source = {8: {"digits": {}}, 28: {"mnist": {}}}[size]
    (name,) = source
    study = parse_study(
        {
            "study": "benchmark",
            "seeds": seeds,
            "seed_block": seeds,
            "batch_sizes": [m],
            "steps": 1,
            "evaluate_every": 1,
            "evaluation_points": 100,
            "datasets": {name: {"network": {**network, "latent_dim": LATENT}}},
            "methods": {method: {}},
        }
    )
    return next(iter(study.blocks.values())).training


class Residual(nn.Module):
    """x -> body(x) + shortcut(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


def plain_networks(network: dict[str, Any], size: int) -> tuple[nn.Module, nn.Module]:
    """Return generator and critic of one seed, in layers of torch."""
    width, depth = network["width"], levels(size)
    start = size >> depth
    if network["name"] == "mlp":
        hidden = [width] * network["depth"]
        sides = ([LATENT, *hidden], nn.ReLU(), size**2), ([size**2, *hidden], nn.LeakyReLU(0.2), 1)
        made = [
            [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), active)] + [nn.Linear(width, out)]
            for sizes, active, out in sides
        ]
        return (
            nn.Sequential(*made[0], nn.Unflatten(1, (1, size, size))),
            nn.Sequential(nn.Flatten(), *made[1], nn.Flatten(0)),
        )
    if network["name"] == "dcgan":
        widths = [width << level for level in range(depth)]
        ups = [nn.Linear(LATENT, widths[-1] * start**2), nn.Unflatten(1, (widths[-1], start, start))]
        for a, b in itertools.pairwise([*widths[::-1], 1]):
            ups += [nn.BatchNorm2d(a), nn.ReLU(), nn.ConvTranspose2d(a, b, 4, 2, 1, bias=b == 1)]
        downs: list[nn.Module] = []
        for a, b in itertools.pairwise([1, *widths]):
            norm = [] if a == 1 else [nn.BatchNorm2d(b)]
            downs += [nn.Conv2d(a, b, 4, 2, 1, bias=a == 1), *norm, nn.LeakyReLU(0.2)]
        score = [nn.Flatten(), nn.Linear(widths[-1] * start**2, 1), nn.Flatten(0)]
        return nn.Sequential(*ups, nn.Tanh()), nn.Sequential(*downs, *score)

    def same(a: int, b: int) -> nn.Module:
        return nn.Conv2d(a, b, 3, padding=1)

    def normed(first: bool = False) -> list[nn.Module]:
        return [] if first else [nn.BatchNorm2d(width), nn.ReLU()]

    double, halve = nn.Upsample(scale_factor=2), nn.AvgPool2d(2)
    blocks: list[nn.Module] = [nn.Linear(LATENT, width * start**2), nn.Unflatten(1, (width, start, start))]
    for _ in range(depth):
        body = nn.Sequential(*normed(), double, same(width, width), *normed(), same(width, width))
        blocks.append(Residual(body, nn.Sequential(nn.Conv2d(width, width, 1), double)))
    parts: list[nn.Module] = []
    for k, a in enumerate((1, width, width, width)):
        body = nn.Sequential(*normed(k == 0), same(a, width), *normed(), same(width, width), *([halve] * (k < 2)))
        parts.append(Residual(body, nn.Sequential(halve, nn.Conv2d(a, width, 1)) if k < 2 else nn.Identity()))
    ends = [nn.ReLU(), nn.AvgPool2d(size // 4, divisor_override=1), nn.Flatten(), nn.Linear(width, 1), nn.Flatten(0)]
    return nn.Sequential(*blocks, *normed(), same(width, 1), nn.Tanh()), nn.Sequential(*parts, *ends)


def plain_step(network: dict[str, Any], size: int, m: int, method: str, real: Tensor) -> Callable[[], Tensor]:
    """Return a function that takes one step of one seed and returns the generator's loss."""
    generator, critic = (net.to(real.device) for net in plain_networks(network, size))
    ours, theirs = (torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.999)) for net in (generator, critic))

    def sides() -> tuple[Tensor, Tensor]:
        index = torch.randint(len(real), (m,), device=real.device)
        return real[index], generator(torch.randn(m, LATENT, device=real.device))

    def descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> Tensor:
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    def nsgan() -> Tensor:
        x, y = sides()
        descend(theirs, F.softplus(-critic(x)).mean() + F.softplus(critic(y.detach())).mean())
        return descend(ours, F.softplus(-critic(sides()[1])).mean())

    def pwgan() -> Tensor:
        x, y = (side.flatten(1) for side in sides())
        _, columns = linear_sum_assignment(torch.cdist(x, y).detach().cpu().numpy())
        return descend(ours, (x - y[torch.from_numpy(columns).to(y.device)]).norm(dim=1).mean())

    return {"nsgan": nsgan, "pwgan": pwgan}[method]


def our_step(training: Training, data: StoredData, device: torch.device) -> Callable[[], Tensor]:
    """Return a function that takes one step of all seeds and returns the generators' losses."""
    trainer = Trainer(training, data, device)

    def step() -> Tensor:
        loss: Tensor = trainer._iterate()[1]
        trainer.state.step += 1
        return loss

    return step


def seconds(step: Callable[[], Tensor], steps: int, device: torch.device) -> float:
    """Return the seconds of a step."""
    started = now(device)
    for _ in range(steps):
        loss = step()
    taken = (now(device) - started) / steps
    if not bool(loss.isfinite().all()):
        raise ArithmeticError(f"the loss is {loss.tolist()}")
    return taken


def compare(case: tuple[dict[str, Any], int, int, int], method: str, device: torch.device, options: Any) -> str:
    """Return one row of the table."""
    network, size, m, seeds = case
    with tempfile.TemporaryDirectory() as folder:
        training = cell(network, size, m, seeds, method)
        split = images(size)
        write_data(Path(folder) / "images.safetensors", split, {"name": training.dataset})
        ours = our_step(training, read_data(Path(folder) / "images.safetensors"), device)
    plain = plain_step(network, size, m, method, torch.from_numpy(split.train).to(device))
    for step in (ours, plain):
        seconds(step, 2, device)
    rounds = [
        (seconds(ours, options.steps, device) / seeds, seconds(plain, options.steps, device))
        for _ in range(options.rounds)
    ]
    ratio = statistics.median(theirs / mine for mine, theirs in rounds)
    mine, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
    cells = (f"{network['name']} {network['width']}", size, method, m, seeds)
    speeds = (f"{1 / mine:.1f}", f"{m / mine:.0f}", f"{1 / theirs:.1f}", f"{ratio:.2f}")
    return f"| {' | '.join(map(str, (*cells, *speeds)))} |"


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--cases", type=int, nargs="+", default=list(range(len(CASES))), help="numbers of the cases")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    lines = [
        "# Training speed against a plain loop",
        "",
        f"{datetime.date.today()}; {machine(device)}; torch {torch.__version__}. Medians of {options.rounds} rounds of "
        f"{options.steps} steps: `python benchmarks/training.py`. A seed-step is one step of one seed; the plain loop "
        "trains one seed; ratio: its time over ours.",
        "",
        "| network | pixels | method | m | seeds | seed-steps/s | images/s | plain: steps/s | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    for case in (CASES[number] for number in options.cases):
        for method in METHODS:
            lines.append(compare(case, method, device, options))
            sys.stdout.write(lines[-1] + "\n")
            sys.stdout.flush()
    pages.write(options.out, lines)


if __name__ == "__main__":
    main()
