"""The training loop, shared by all methods and data sets; trains all seeds of a block at once."""

from __future__ import annotations

import copy
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from pwgan.cells import Training
from pwgan.data.store import StoredData, to_float
from pwgan.interrupts import Interrupted, holding
from pwgan.methods import AdversarialMethod, FlowMethod, Nets, TiedMethod
from pwgan.runtime import clock
from pwgan.training.batches import Batches
from pwgan.training.checkpoint import (
    CRITIC_LOSS,
    GENERATOR_LOSS,
    RUNNING,
    SAMPLES,
    TIE,
    State,
    load_checkpoint,
    origin,
    save_checkpoint,
)
from pwgan.training.draws import Draws
from pwgan.training.fresh import FreshBatches
from pwgan.training.networks import build_networks
from pwgan.training.samples import generate, latent_samples, training_samples, update_average
from pwgan.training.watch import SNAPSHOT, STORED, Snapshot, duality, rankings
from pwgan.transport.cost import points
from pwgan.transport.empirical import debiased, ewd

log = logging.getLogger("pwgan")
SAVE_SECONDS = 120  # wall time between two checkpoints, besides those at evaluations


class Trainer:
    """Trains one block of seeds; every random draw is a function of the step, so any checkpoint can be resumed."""

    def __init__(self, cell: Training, data: StoredData, device: torch.device) -> None:
        self.cell, self.data, self.device = cell, data.of_seeds(cell.seed_range), device
        self.method = cell.build_method()
        self.critic_steps = self.method.critic_steps if isinstance(self.method, AdversarialMethod) else 0
        self.draws = Draws(cell.seed_range, device)
        self.real = torch.from_numpy(self.data.train_sets).to(device)
        heldout = points(self.data.heldout_tensor(torch.arange(cell.evaluation_points), device))
        self.heldout = heldout.expand(cell.seeds, -1, -1)
        real = training_samples(self.data, cell.seed_range, cell.evaluation_points)
        self.real_ewd = ewd(self.heldout, points(real, 1).to(device))
        shown = latent_samples(cell.seed_range, "snapshot", SNAPSHOT[data.kind], cell.network.latent_dim)
        self.shown = shown.to(device)
        self.state = self._fresh_state()
        sampler = self.method.sampler
        fresh = FreshBatches(self.data, sampler, cell.batch_size, self.draws) if self.data.fresh else None
        self.batches = Batches(cell, self.real, self.state, self.draws, fresh)

    def _fresh_state(self) -> State:
        cell, method = self.cell, self.method
        adversarial = isinstance(method, AdversarialMethod)
        generator, critic = build_networks(cell, self.data.sample_shape)
        role = "velocity" if isinstance(method, FlowMethod) else "generator"
        cell.network.initialise(generator, cell.seed_range, role)
        cell.network.initialise(critic, cell.seed_range, "critic")
        generator, critic = generator.to(self.device), critic.to(self.device) if adversarial else nn.Identity()
        optimisers = {"generator": method.optimiser(generator.parameters(), method.generator_lr)}
        if isinstance(method, AdversarialMethod):
            optimisers["critic"] = method.optimiser(critic.parameters(), method.critic_lr)
        nets = Nets(generator, critic, optimisers.get("critic"))
        average = copy.deepcopy(nets.generator).requires_grad_(False) if method.ema else None
        fate = torch.full((cell.seeds,), RUNNING, device=self.device)
        never = torch.full_like(fate, -1)
        return State(nets, optimisers, fate, never, average, self._untied(), origin=origin(cell, self.data))

    def _untied(self) -> dict[str, torch.Tensor]:
        """Return the initial tie of each seed: latent i with sample i, potentials 0."""
        if not isinstance(self.method, TiedMethod):
            return {}
        shape = (self.cell.seeds, self.data.train_size)
        matching = torch.arange(shape[1], device=self.device).repeat(shape[0], 1)
        potentials = (torch.zeros(shape, dtype=torch.float64, device=self.device) for _ in TIE[1:])
        return dict(zip(TIE, (matching, *potentials), strict=True))

    def run(self, checkpoint: Path) -> State:
        """Train to the last step, resuming from ``checkpoint`` if it exists, and keep it up to date.

        A signal ends the run after the step in hand: the checkpoint is written, then ``Interrupted`` is raised.
        """
        state, cell = self.state, self.cell
        if load_checkpoint(checkpoint, cell, state, self.device):
            log.info("resuming from step %d of %d", state.step, cell.steps)
        now = clock(self.device)
        started, saved = now(), time.perf_counter()
        record_every = max(1, cell.evaluate_every // 10)
        done = False
        with (
            tqdm(total=cell.steps, initial=state.step, disable=not sys.stderr.isatty(), unit="step") as bar,
            holding() as held,
        ):
            while not done:
                # Saved and evaluated before each step: step 0 is the untrained generator.
                losses, evaluation, snapshots = self._nothing(2), self._nothing(5), list[Snapshot]()
                done = state.step == cell.steps
                evaluates = done or state.step % cell.evaluate_every == 0
                if evaluates or held.number is not None or time.perf_counter() - saved >= SAVE_SECONDS:
                    # Before evaluating and matching, which may take long: a resumed run does both again.
                    paused = now()
                    state.seconds += paused - started
                    started, saved = paused, time.perf_counter()
                    save_checkpoint(checkpoint, cell, state)
                    if held.number is not None:
                        raise Interrupted(
                            held.number, f"at step {state.step} of {cell.steps}; the same command resumes from there"
                        )
                if evaluates:
                    paused = now()
                    evaluation = self._evaluate()
                    snapshots = [self._snapshot()]
                    done = done or bool((state.fate != RUNNING).all())
                    # Training time and evaluation time are recorded separately.
                    state.seconds += paused - started
                    started = now()
                    state.evaluation_seconds += started - paused
                    self._report(evaluation[0], bar)
                tied = self._tie(done)
                if done:
                    # No step uses the last tie: its time counts as evaluation.
                    state.evaluation_seconds += now() - started
                else:
                    losses = self._iterate()
                if evaluates or tied is not None or state.step % record_every == 0:
                    row = [losses, evaluation[:1], self._nothing(1) if tied is None else tied, evaluation[1:]]
                    state.history.append((state.step, torch.cat(row).cpu()))
                state.snapshots += snapshots
                if not done:
                    state.step += 1
                    bar.update()
        return state

    def _nothing(self, rows: int) -> torch.Tensor:
        return torch.full((rows, self.cell.seeds), torch.nan, device=self.device)

    def _iterate(self) -> torch.Tensor:
        """Take the critic's steps, then the generator's; return the last loss of each, (2, S), NaN if diverged."""
        method, state = self.method, self.state
        self._decay()
        losses = self._nothing(2)
        first = self._first_batch(state.step)
        if isinstance(method, AdversarialMethod) and method.simultaneous:
            losses = self._both(method, first)
        else:
            for k in range(self.critic_steps + method.generator_steps):
                number = first + k
                if k < self.critic_steps and isinstance(method, AdversarialMethod):
                    losses[0] = self.critic_step(method, number)
                else:
                    losses[1] = self._generator_step(number)
        return torch.where(state.fate == RUNNING, losses, torch.nan)

    def _first_batch(self, step: int) -> int:
        """Return the number of the first batch of an iteration."""
        method = self.method
        simultaneous = isinstance(method, AdversarialMethod) and method.simultaneous
        return step * (1 if simultaneous else self.critic_steps + method.generator_steps)

    def _decay(self) -> None:
        """Set the learning rates of this iteration."""
        factor = self.method.rate(self.state.step / self.cell.steps)
        for network, optimiser in self.state.optimisers.items():
            optimiser.lr = factor * float(getattr(self.method, f"{network}_lr"))

    def critic_step(self, method: AdversarialMethod, number: int) -> torch.Tensor:
        """Take one step of the critic on batch ``number`` and return its losses, (S,)."""
        with torch.no_grad():
            batch = self.batches.batch(number)
        loss = method.critic_loss(self.state.nets, batch)
        self._descend("critic", self.state.record(loss, CRITIC_LOSS))
        return loss.detach()

    def _generator_step(self, number: int) -> torch.Tensor:
        """Take one step of the generator on batch ``number`` and return its losses, (S,)."""
        # Skips the critic's parameter gradients, which a generator step does not use.
        self.state.nets.critic.requires_grad_(False)
        loss = self.method.generator_loss(self.state.nets, self.batches.batch(number))
        self._descend("generator", self.state.record(loss, GENERATOR_LOSS))
        self.state.nets.critic.requires_grad_(True)
        return loss.detach()

    def _both(self, method: AdversarialMethod, number: int) -> torch.Tensor:
        """Take one step of both networks, each along its gradient before either changes; return losses (2, S)."""
        nets, state, batch = self.state.nets, self.state, self.batches.batch(number)
        critic_loss = method.critic_loss(nets, replace(batch, fake=batch.fake.detach()))
        self._backward("critic", state.record(critic_loss, CRITIC_LOSS))
        nets.critic.requires_grad_(False)
        loss = method.generator_loss(nets, batch)
        self._backward("generator", state.record(loss, GENERATOR_LOSS))
        nets.critic.requires_grad_(True)
        self._step("critic")
        self._step("generator")
        return torch.stack([critic_loss, loss]).detach()

    def _descend(self, network: str, losses: torch.Tensor) -> None:
        """Take one step of a network along the gradient of its losses."""
        self._backward(network, losses)
        self._step(network)

    def _backward(self, network: str, losses: torch.Tensor) -> None:
        """Compute the gradient for all seeds: that of the summed losses has one slice per seed."""
        self.state.optimisers[network].zero_grad()
        losses.sum().backward()

    def _step(self, network: str) -> None:
        """Take one optimiser step for all seeds, and what follows it."""
        self.state.optimisers[network].step()
        if network == "critic" and isinstance(self.method, AdversarialMethod):
            self.method.after_critic_step(self.state.nets)
        elif self.method.ema and self.state.average is not None:
            update_average(self.state.average, self.state.nets.generator, self.method.ema)

    def _tie(self, done: bool) -> torch.Tensor | None:
        """Recompute the tie if it is due; return the EWD on tied latents, (1, S), NaN if diverged, or None."""
        method, tie, values = self.method, self.state.tie, self._nothing(1)
        if not isinstance(method, TiedMethod):
            return None
        if not done and self.state.step % (method.rematch_every or self.batches.epoch):
            return None
        # Samples are generated for all seeds at once but matched per seed: memory O(S n), not O(S n^2).
        fake, running = self._sound(self.batches.points(self.batches.tied))
        real = points(to_float(self.real)).expand_as(fake)
        for seed in running.nonzero().flatten().tolist():
            u, v = (tie[name][seed] for name in TIE[1:])
            transport = method.tie(real[seed], fake[seed], (u, v) if self.state.step else None)
            for name in TIE:
                tie[name][seed] = getattr(transport, name)
            values[0, seed] = transport.value
        return values

    def _generate(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return points (S, n, d) of the measured generator in eval mode, and a mask of running seeds, (S,)."""
        fake = points(generate(self.state.generator, latent), 1)
        self.state.nets.generator.train()
        return self._sound(fake)

    def _sound(self, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return generated points, and a mask of running seeds, (S,), after marking seeds with non-finite ones."""
        # A step may make the parameters non-finite although its loss was finite; the samples show it.
        finite = fake.isfinite().all(-1).all(-1)
        self.state.record(torch.where(finite, 0.0, torch.nan), SAMPLES)
        return fake, self.state.fate == RUNNING

    def _evaluate(self) -> torch.Tensor:
        """Compare the fixed held-out samples with as many samples of fixed latents: (5, S), NaN if diverged.

        Rows are the EWD; the critic's dual, largest and mean slope between them, NaN without a critic; and the debiased
        EWD.
        """
        shape = self.cell.evaluation_points, self.cell.network.latent_dim
        fake, _ = self._generate(self.draws.draw("evaluation", 0, shape))
        again, running = self._generate(self.draws.draw("evaluation", 1, shape))
        values = self._nothing(5)
        if running.any():
            distance, within = (ewd(side[running], fake[running]) for side in (self.heldout, again))
            values[0, running] = distance.to(values.dtype)
            values[4, running] = debiased(distance, self.real_ewd[running], within).to(values.dtype)
        if isinstance(self.method, AdversarialMethod):
            sides = (side.unflatten(-1, self.data.sample_shape) for side in (self.heldout, fake))
            real, generated = (self.method.critic_input(side) for side in sides)
            critic, share = self.state.nets.critic.eval(), self.draws.uniforms("slope", 0)(real.shape[1])
            values[1:4] = torch.where(running, duality(critic, real, generated, share), torch.nan)
            critic.train()
        return values

    def _snapshot(self) -> Snapshot:
        """Take a snapshot; the critic ranks it and all earlier ones against the mini-batches of their steps."""
        state = self.state
        fake, running = self._generate(self.shown)
        fake = torch.where(running[:, None, None], fake, torch.nan).unflatten(-1, self.data.sample_shape)
        batch = self.batches.index(self._first_batch(state.step))
        batch = None if batch is None else batch.cpu()
        auc = torch.empty(0, self.cell.seeds, dtype=torch.float64, device=self.device)
        snapshot = Snapshot(state.step, fake.to(STORED[self.data.kind]).cpu(), batch, auc)
        if isinstance(self.method, AdversarialMethod):
            snapshots = [*state.snapshots, snapshot]
            batches = (
                self.batches.real_samples(self._first_batch(earlier.step), earlier.batch) for earlier in snapshots
            )
            auc = rankings(state.nets.critic.eval(), self.method.critic_input, batches, snapshots)
            state.nets.critic.train()
        return snapshot._replace(auc=torch.where(running, auc, torch.nan).cpu())

    def _report(self, distance: torch.Tensor, bar: tqdm) -> None:
        running = int((self.state.fate == RUNNING).sum())
        mean = float(distance.nanmean())
        bar.set_postfix(ewd=f"{mean:.4g}", running=f"{running}/{self.cell.seeds}")
        if bar.disable:
            rate = self.state.step / max(self.state.seconds, 1e-9)
            log.info(
                "step %d of %d, EWD %.4g (mean of %d seeds), %d running, %.1f steps/s",
                *(self.state.step, self.cell.steps, mean, self.cell.seeds, running, rate),
            )
