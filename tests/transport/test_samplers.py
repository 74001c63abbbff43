"""Which samples meet in a mini-batch."""

import pytest
import torch

from pwgan.transport.samplers import RandomSampler, random_order

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "m"), [(12, 4), (12, 12), (13, 4), (5, 1)])
def test_an_epoch_uses_each_sample_once(n, m):
    sampler = RandomSampler(n, m, range(3), CPU)
    each = n // m
    for epoch in range(3):
        seen = torch.cat([sampler.batch(epoch * each + k) for k in range(each)], 1)
        assert seen.shape == (3, each * m) and seen.dtype == torch.int64
        for row in seen.tolist():
            assert len(set(row)) == each * m and set(row) <= set(range(n))


def test_seeds_and_epochs_have_orders_of_their_own():
    sampler = RandomSampler(50, 25, range(2), CPU)
    epochs = [torch.cat([sampler.batch(2 * epoch + k) for k in range(2)], 1) for epoch in range(2)]
    orders = {tuple(row) for epoch in epochs for row in epoch.tolist()}
    assert len(orders) == 4


def test_what_a_seed_sees_does_not_depend_on_who_trains_beside_it():
    block, half, alone = (RandomSampler(20, 4, seeds, CPU) for seeds in (range(8), range(2, 4), range(3, 4)))
    for number in range(12):
        assert torch.equal(block.batch(number)[2:4], half.batch(number))
        assert torch.equal(block.batch(number)[3:4], alone.batch(number))


def test_a_batch_is_a_function_of_its_number():
    sampler = RandomSampler(20, 4, range(2), CPU)
    forth = {number: sampler.batch(number).clone() for number in range(15)}
    for number in (14, 0, 7, 7, 2, 13, 5):
        assert torch.equal(sampler.batch(number), forth[number])
    assert torch.equal(RandomSampler(20, 4, range(2), CPU).batch(11), forth[11])


def test_no_global_random_state_is_touched():
    before = torch.get_rng_state()
    RandomSampler(20, 4, range(2), CPU).batch(0)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_order_is_a_function_of_its_name():
    order = random_order(30, "pool", 1)
    assert order.sort().values.tolist() == list(range(30))
    assert torch.equal(order, random_order(30, "pool", 1))
    assert not torch.equal(order, random_order(30, "pool", 2))
    assert not torch.equal(order, random_order(30, "pool", 1, 0))
