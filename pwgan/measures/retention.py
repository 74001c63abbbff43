"""What a critic keeps of a mini-batch: how it ranks the samples of a probe before and after one step on them."""

from __future__ import annotations

from dataclasses import replace

import torch

from pwgan.methods import AdversarialMethod
from pwgan.training.loop import Trainer
from pwgan.training.watch import ranking

LAGS = (1, 128)
"""Critic steps after which the probe is ranked, the step on the probe included."""
RETENTION = ("probe_before", *(f"probe_{lag}" for lag in LAGS))
UNSEEN = 1024  # held-out samples that the probe is ranked against


def retention(trainer: Trainer, method: AdversarialMethod, number: int) -> torch.Tensor:
    """Train the critic once on a probe and then on mini-batches as usual; rank the probe against unseen real samples.

    The probe is m held-out samples in the place of the real samples of batch ``number``; no other step uses them. Each
    value is the AUC of the critic's scores between the probe and other held-out samples, before the step and LAGS steps
    after: (1 + len(LAGS), S), NaN if fewer than 2 m samples are held out. 1/2 up to the choice of the probe if the
    critic does not know it; the differences from the first value are what the critic has learnt of the probe, and what
    of it is left. Source: article D9 (forgetting in the dual).
    """
    data, nets, m = trainer.data, trainer.state.nets, trainer.cell.batch_size
    count = min(data.heldout_size, m + UNSEEN)
    if count < 2 * m:
        return torch.full((len(RETENTION), trainer.cell.seeds), torch.nan, device=trainer.real.device)
    held = data.heldout_tensor(torch.arange(count), trainer.real.device)
    probe, unseen = held.expand(trainer.cell.seeds, *held.shape[1:]).split((m, count - m), 1)

    @torch.no_grad()
    def auc() -> torch.Tensor:
        nets.critic.eval()
        values = ranking(*(nets.critic(method.critic_input(side)) for side in (probe, unseen)))
        nets.critic.train()
        return values

    values = [auc()]
    with torch.no_grad():
        batch = replace(trainer.batches.batch(number), real=probe)
    optimiser = trainer.state.optimisers["critic"]
    optimiser.zero_grad()
    method.critic_loss(nets, batch).sum().backward()
    optimiser.step()
    method.after_critic_step(nets)
    for lag in range(1, max(LAGS) + 1):
        if lag > 1:
            trainer.critic_step(method, number + lag - 1)
        if lag in LAGS:
            values.append(auc())
    return torch.stack(values)
