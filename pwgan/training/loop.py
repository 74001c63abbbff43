"""The one training loop: every method, every data set, all seeds of a block at once."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from pwgan.batches import build_sampler, choose
from pwgan.cells import Training
from pwgan.data.store import StoredData, to_float
from pwgan.methods import AdversarialMethod, Batch, Nets, TiedMethod
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
from pwgan.training.samples import generate, latent_samples
from pwgan.training.watch import SNAPSHOT, STORED, Snapshot, duality, rankings
from pwgan.transport.cost import points
from pwgan.transport.empirical import ewd

log = logging.getLogger("pwgan")


class Trainer:
    """Trains one block of seeds; everything it draws is a function of the step, so any checkpoint can be continued."""

    def __init__(self, cell: Training, data: StoredData, device: torch.device) -> None:
        self.cell, self.data, self.device = cell, data, device
        self.method = cell.build_method()
        self.critic_steps = self.method.critic_steps if isinstance(self.method, AdversarialMethod) else 0
        self.draws = Draws(cell.seed_range, device)
        self.real = torch.from_numpy(data.train).to(device)
        self.sampler = build_sampler(self.method.sampler, self.real, cell.batch_size, cell.seed_range, device)
        heldout = points(data.heldout_tensor(torch.arange(cell.evaluation_points), device), 0)
        self.heldout = heldout.expand(cell.seeds, -1, -1)
        tied, z = len(self.real) if isinstance(self.method, TiedMethod) else 0, cell.network.latent_dim
        self.tied = latent_samples(cell.seed_range, "tied", tied, z).to(device)
        self.epoch = max(1, len(self.real) // cell.batch_size)
        self.shown = latent_samples(cell.seed_range, "snapshot", SNAPSHOT[data.kind], z).to(device)
        self.state = self._fresh_state()

    def _fresh_state(self) -> State:
        cell, method = self.cell, self.method
        adversarial = isinstance(method, AdversarialMethod)
        norm = method.critic_norm if isinstance(method, AdversarialMethod) else "none"
        generator, critic = cell.network.build(cell.seed_range, tuple(self.data.train.shape[1:]), norm)
        cell.network.initialise(generator, cell.seed_range, "generator")
        cell.network.initialise(critic, cell.seed_range, "critic")
        nets = Nets(generator.to(self.device), critic.to(self.device) if adversarial else nn.Identity())
        optimisers = {"generator": method.optimiser(generator.parameters(), method.generator_lr)}
        if isinstance(method, AdversarialMethod):
            optimisers["critic"] = method.optimiser(critic.parameters(), method.critic_lr)
        fate = torch.full((cell.seeds,), RUNNING, device=self.device)
        made_from = origin(cell, self.data, self.device)
        return State(nets, optimisers, fate, torch.full_like(fate, -1), self._untied(), made_from)

    def _untied(self) -> dict[str, torch.Tensor]:
        """Return what stands for the tie of a seed that has none yet: latent i with sample i, potentials of 0."""
        if not isinstance(self.method, TiedMethod):
            return {}
        shape = (self.cell.seeds, len(self.real))
        matching = torch.arange(shape[1], device=self.device).repeat(shape[0], 1)
        potentials = (torch.zeros(shape, dtype=torch.float64, device=self.device) for _ in TIE[1:])
        return dict(zip(TIE, (matching, *potentials), strict=True))

    def run(self, checkpoint: Path) -> State:
        """Train to the last step, from the checkpoint if there is one, and keep the checkpoint up to date."""
        state, cell = self.state, self.cell
        if load_checkpoint(checkpoint, cell, state, self.device):
            log.info("going on from step %d of %d", state.step, cell.steps)
        mark = time.perf_counter()
        record_every = max(1, cell.evaluate_every // 10)
        done = False
        with tqdm(total=cell.steps, initial=state.step, disable=not sys.stderr.isatty(), unit="step") as bar:
            while not done:
                # The state is measured and kept before each step, so that step 0 shows the untrained generator.
                losses, watched, taken = self._nothing(2), self._nothing(4), list[Snapshot]()
                done = state.step == cell.steps
                evaluates = done or state.step % cell.evaluate_every == 0
                if evaluates:
                    paused = time.perf_counter()
                    watched = self._evaluate()
                    taken = [self._snapshot()]
                    done = done or bool((state.fate != RUNNING).all())
                    # What a method costs is told apart from what watching it costs.
                    state.seconds += paused - mark
                    mark = time.perf_counter()
                    state.evaluation_seconds += mark - paused
                    save_checkpoint(checkpoint, cell, state)
                    self._report(watched[0], bar)
                # After the checkpoint, so that what goes on from it solves the same problem from the same potentials.
                tied = self._tie(done)
                if done:
                    # Nothing is trained on the last tie: it is watched, not paid for.
                    state.evaluation_seconds += time.perf_counter() - mark
                else:
                    losses = self._iterate()
                if evaluates or tied is not None or state.step % record_every == 0:
                    row = [losses, watched[:1], self._nothing(1) if tied is None else tied, watched[1:]]
                    state.history.append((state.step, torch.cat(row).cpu()))
                state.snapshots += taken
                if not done:
                    state.step += 1
                    bar.update()
        return state

    def _nothing(self, rows: int) -> torch.Tensor:
        return torch.full((rows, self.cell.seeds), torch.nan, device=self.device)

    def _iterate(self) -> torch.Tensor:
        """Take the critic's steps, then the generator's; return the last loss of each, (2, S), NaN once diverged."""
        method, nets, state = self.method, self.state.nets, self.state
        losses = self._nothing(2)
        each_iteration = self.critic_steps + method.generator_steps
        for k in range(each_iteration):
            number = state.step * each_iteration + k
            if k < self.critic_steps and isinstance(method, AdversarialMethod):
                losses[0] = self.critic_step(method, number)
            else:
                # The critic's own gradients are not wanted here, and would be computed for nothing.
                nets.critic.requires_grad_(False)
                loss = method.generator_loss(nets, self._batch(number))
                self._descend("generator", state.record(loss, GENERATOR_LOSS))
                nets.critic.requires_grad_(True)
                losses[1] = loss.detach()
        return torch.where(state.fate == RUNNING, losses, torch.nan)

    def critic_step(self, method: AdversarialMethod, number: int) -> torch.Tensor:
        """Take one step of the critic on batch ``number`` and return its losses, (S,)."""
        with torch.no_grad():
            batch = self._batch(number)
        loss = method.critic_loss(self.state.nets, batch)
        self._descend("critic", self.state.record(loss, CRITIC_LOSS))
        method.after_critic_step(self.state.nets)
        return loss.detach()

    def _batch(self, number: int) -> Batch:
        index = self.sampler.batch(number)
        real = to_float(self.real[index])
        if isinstance(self.method, TiedMethod):
            partner = self.state.tie["matching"].gather(1, index)
            latent = self.tied.gather(1, partner.unsqueeze(-1).expand(-1, -1, self.tied.shape[-1]))
        else:
            latent = self._latents(number)
        fake = self.state.nets.generator(latent)
        return Batch(real, index, latent, fake, self.draws.uniforms("uniform", number))

    def _latents(self, number: int) -> torch.Tensor:
        """Draw the latents (S, m, z) of a batch, or let the sampler choose them among more by what becomes of them."""
        m, z = self.cell.batch_size, self.cell.network.latent_dim
        latent = self.draws.draw("latent", number, (self.sampler.oversample * m, z))
        if self.sampler.oversample == 1:
            return latent
        generator = self.state.nets.generator
        fake = points(generate(generator, latent), 1)
        generator.train()
        chosen = choose(self.sampler.name, fake, m, self.draws.uniforms("choice", number))
        return latent.gather(1, chosen.unsqueeze(-1).expand(-1, -1, z))

    def _descend(self, network: str, losses: torch.Tensor) -> None:
        """One optimiser step for all seeds: the sum of their losses has each seed's own gradient in its own slice."""
        optimiser = self.state.optimisers[network]
        optimiser.zero_grad()
        losses.sum().backward()
        optimiser.step()

    def _tie(self, done: bool) -> torch.Tensor | None:
        """Tie latents to samples anew where it is time; return the EWD between the two, (1, S), NaN if diverged."""
        method, tie, values = self.method, self.state.tie, self._nothing(1)
        if not isinstance(method, TiedMethod):
            return None
        if not done and self.state.step % (method.rematch_every or self.epoch):
            return None
        # All seeds' samples are made at once, and matched one seed after the other: memory grows with S n, not S n^2.
        fake, sound = self._generate(self.tied)
        real = points(to_float(self.real), 0)
        for seed in sound.nonzero().flatten().tolist():
            u, v = (tie[name][seed] for name in TIE[1:])
            found = method.tie(real, fake[seed], (u, v) if self.state.step else None)
            for name in TIE:
                tie[name][seed] = getattr(found, name)
            values[0, seed] = found.value
        return values

    def _generate(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return points (S, n, d) made of latents (S, n, z) in eval mode, and which seeds have not diverged, (S,)."""
        generator = self.state.nets.generator
        fake = points(generate(generator, latent), 1)
        generator.train()
        # The last step may ruin a seed whose losses were all finite: no loss will tell, but its samples do.
        finite = fake.isfinite().all(-1).all(-1)
        self.state.record(torch.where(finite, 0.0, torch.nan), SAMPLES)
        return fake, self.state.fate == RUNNING

    def _evaluate(self) -> torch.Tensor:
        """Compare the fixed held-out samples with as many generated from fixed latents: (4, S), NaN if diverged.

        EWD, the critic's dual, its largest and its mean slope between them; NaN without a critic.
        """
        latent = self.draws.draw("evaluation", 0, (self.cell.evaluation_points, self.cell.network.latent_dim))
        fake, sound = self._generate(latent)
        values = self._nothing(4)
        if sound.any():
            values[0, sound] = ewd(self.heldout[sound], fake[sound]).to(values.dtype)
        if self.critic_steps:
            critic, share = self.state.nets.critic.eval(), self.draws.uniforms("slope", 0)(fake.shape[1])
            real, made = (side.unflatten(-1, self.data.train.shape[1:]) for side in (self.heldout, fake))
            values[1:] = torch.where(sound, duality(critic, real, made, share), torch.nan)
            critic.train()
        return values

    def _snapshot(self) -> Snapshot:
        """Take a snapshot, and let the critic rank it and those before it against the mini-batches of their steps."""
        state = self.state
        fake, sound = self._generate(self.shown)
        fake = torch.where(sound[:, None, None], fake, torch.nan).unflatten(-1, self.data.train.shape[1:])
        batch = self.sampler.batch(state.step * (self.critic_steps + self.method.generator_steps)).cpu()
        auc = torch.empty(0, self.cell.seeds, dtype=torch.float64, device=self.device)
        taken = Snapshot(state.step, fake.to(STORED[self.data.kind]).cpu(), batch, auc)
        if self.critic_steps:
            auc = rankings(state.nets.critic.eval(), self.real, [*state.snapshots, taken])
            state.nets.critic.train()
        return taken._replace(auc=torch.where(sound, auc, torch.nan).cpu())

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
