"""Adam and RMSprop through torch's functional implementations, without the overhead of ``torch.optim.Optimizer``.

For networks this small, that overhead is about a fifth of a step, and the first use of the class imports torch's
compiler, which takes seconds in every job. Both optimisers are elementwise, so the seeds of a stacked parameter do not
interact.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop

State = dict[str, list[torch.Tensor]]
EPS = 1e-8


class _Optimiser:
    """Parameters, learning rate, and state tensors in the order of the parameters."""

    kept: tuple[str, ...]

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float) -> None:
        self.parameters, self.lr = list(parameters), lr
        self.state: State = {name: [torch.zeros_like(p) for p in self.parameters] for name in self.kept}
        self.state["step"] = [torch.zeros((), device=p.device) for p in self.parameters]

    def step(self) -> None:
        """Take one step along the gradients in ``.grad``."""
        with torch.no_grad():
            gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in self.parameters]
            self._update(list(self.parameters), gradients)

    def _update(self, parameters: list[torch.Tensor], gradients: list[torch.Tensor]) -> None:
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Reset all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> State:
        """Return the state, for a checkpoint."""
        return self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint; raises ValueError if its shapes do not match the parameters."""
        loaded = {name: [tensor.shape for tensor in tensors] for name, tensors in state_dict.items()}
        expected = {name: [tensor.shape for tensor in tensors] for name, tensors in self.state.items()}
        if loaded != expected:
            raise ValueError(f"the optimiser's state has shapes {loaded}, expected {expected}")
        self.state = {name: list(tensors) for name, tensors in state_dict.items()}


class Adam(_Optimiser):
    """Adam (Kingma and Ba, 2015, algorithm 1), eps 1e-8."""

    kept = ("mean", "square")

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(parameters, lr)
        self.betas = betas

    def ahead(
        self, parameters: list[torch.Tensor], gradients: list[torch.Tensor], state: State
    ) -> tuple[list[torch.Tensor], State]:
        """Return parameters and state after one step from any others, differentiable in all of them.

        m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g^2, p' = p - lr (m' / (1 - b1^t)) / (sqrt(v' / (1 - b2^t)) + eps).
        """
        first, second = self.betas
        # In float64: 1 - b2^t has few digits left in float32. Numbers without a shape keep a tensor's type.
        step = [count.double() + 1 for count in state["step"]]
        mean = [first * m + (1 - first) * g for m, g in zip(state["mean"], gradients, strict=True)]
        square = [second * v + (1 - second) * g * g for v, g in zip(state["square"], gradients, strict=True)]
        moved = []
        for p, m, v, t in zip(parameters, mean, square, step, strict=True):
            # The root has no derivative at 0, where every gradient so far was 0.
            root = torch.where(v > 0, torch.where(v > 0, v, 1.0).sqrt(), 0.0) / (1 - second**t).sqrt()
            moved.append(p - self.lr / (1 - first**t) * m / (root + EPS))
        return moved, {"mean": mean, "square": square, "step": step}

    def _update(self, parameters: list[torch.Tensor], gradients: list[torch.Tensor]) -> None:
        adam(
            parameters,
            gradients,
            self.state["mean"],
            self.state["square"],
            [],
            self.state["step"],
            fused=True,
            foreach=False,
            amsgrad=False,
            beta1=self.betas[0],
            beta2=self.betas[1],
            lr=self.lr,
            weight_decay=0.0,
            eps=EPS,
            maximize=False,
        )


class RMSprop(_Optimiser):
    """RMSprop (Hinton's lecture 6e, as implemented in torch): smoothing 0.99, eps 1e-8, no momentum."""

    kept = ("square",)

    def _update(self, parameters: list[torch.Tensor], gradients: list[torch.Tensor]) -> None:
        rmsprop(
            parameters,
            gradients,
            self.state["square"],
            [],
            [],
            self.state["step"],
            foreach=True,
            lr=self.lr,
            alpha=0.99,
            eps=EPS,
            weight_decay=0.0,
            momentum=0.0,
            centered=False,
        )
