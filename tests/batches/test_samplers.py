"""Which samples meet in a mini-batch."""

import pytest
import torch

from pwgan.batches import samplers
from pwgan.batches.base import random_order
from pwgan.batches.drawing import batches, build_sampler
from pwgan.batches.kdpp import kernel
from pwgan.batches.random import RandomSampler
from pwgan.batches.stratify import stratify

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "m"), [(12, 4), (12, 12), (13, 4), (5, 1)])
def test_an_epoch_uses_each_sample_once(n, m):
    sampler = RandomSampler(torch.zeros(1, n, 1), m, range(3), CPU)
    each = n // m
    for epoch in range(3):
        seen = torch.cat([sampler.batch(epoch * each + k) for k in range(each)], 1)
        assert seen.shape == (3, each * m) and seen.dtype == torch.int64
        for row in seen.tolist():
            assert len(set(row)) == each * m and set(row) <= set(range(n))


def test_seeds_and_epochs_have_orders_of_their_own():
    sampler = RandomSampler(torch.zeros(1, 50, 1), 25, range(2), CPU)
    epochs = [torch.cat([sampler.batch(2 * epoch + k) for k in range(2)], 1) for epoch in range(2)]
    orders = {tuple(row) for epoch in epochs for row in epoch.tolist()}
    assert len(orders) == 4


def test_what_a_seed_sees_does_not_depend_on_who_trains_beside_it():
    block, half, alone = (
        RandomSampler(torch.zeros(1, 20, 1), 4, seeds, CPU) for seeds in (range(8), range(2, 4), range(3, 4))
    )
    for number in range(12):
        assert torch.equal(block.batch(number)[2:4], half.batch(number))
        assert torch.equal(block.batch(number)[3:4], alone.batch(number))


def test_a_batch_is_a_function_of_its_number():
    sampler = RandomSampler(torch.zeros(1, 20, 1), 4, range(2), CPU)
    forth = {number: sampler.batch(number).clone() for number in range(15)}
    for number in (14, 0, 7, 7, 2, 13, 5):
        assert torch.equal(sampler.batch(number), forth[number])
    assert torch.equal(RandomSampler(torch.zeros(1, 20, 1), 4, range(2), CPU).batch(11), forth[11])


def test_no_global_random_state_is_touched():
    before = torch.get_rng_state()
    RandomSampler(torch.zeros(1, 20, 1), 4, range(2), CPU).batch(0)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_order_is_a_function_of_its_name():
    order = random_order(30, "pool", 1)
    assert order.sort().values.tolist() == list(range(30))
    assert torch.equal(order, random_order(30, "pool", 1))
    assert not torch.equal(order, random_order(30, "pool", 2))
    assert not torch.equal(order, random_order(30, "pool", 1, 0))


POINTS = torch.randn(45, 3, generator=torch.Generator().manual_seed(3))
NAMES = tuple(samplers())


def built(name, m=4, seeds=range(3), points=POINTS):
    return build_sampler(name, points[None], m, seeds, CPU)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("m", [1, 4, 20, 45])
def test_a_batch_of_any_sampler_has_m_different_samples(name, m):
    sampler = built(name, m)
    for number in range(7):
        batch = sampler.batch(number)
        assert batch.shape == (3, m) and batch.dtype == torch.int64
        assert all(len(set(row)) == m and set(row) <= set(range(45)) for row in batch.tolist())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("m", [4, 20])
def test_any_sampler_s_batch_is_a_function_of_seed_and_number(name, m):
    block, alone = built(name, m, range(4)), built(name, m, range(3, 4))
    forth = {number: block.batch(number).clone() for number in range(12)}
    for number in (11, 0, 5, 5, 7, 1):
        assert torch.equal(block.batch(number), forth[number])
        assert torch.equal(alone.batch(number), forth[number][3:])
    distinct = {tuple(row) for batch in forth.values() for row in batch.tolist()}
    # Subsets of one small pool may meet.
    assert len(distinct) > 40


@pytest.mark.parametrize("name", NAMES)
def test_images_are_sampled_as_points(name):
    images = torch.randint(0, 256, (45, 1, 3, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    assert torch.equal(built(name, points=images).batch(2), built(name, points=images.flatten(1)).batch(2))


def test_random_is_as_it_was():
    assert torch.equal(built("random").batch(9), RandomSampler(POINTS[None], 4, range(3), CPU).batch(9))


@pytest.mark.parametrize(("n", "m"), [(40, 4), (45, 4), (45, 20)])
def test_stratified_meets_each_sample_equally_often(n, m):
    sampler, each = built("stratified", m, range(1), POINTS[:n]), n // m
    counts = torch.zeros(n)
    for epoch in range(60):
        seen = torch.cat([sampler.batch(epoch * each + k) for k in range(each)], 1)[0]
        assert len(set(seen.tolist())) == m * each
        counts[seen] += 1
    expected, spread = 60 * m * each / n, (60 * (m * each / n) * (1 - m * each / n)) ** 0.5
    assert (counts - expected).abs().max() <= 4 * spread


def test_a_stratified_batch_has_one_sample_of_each_stratum_in_random_order():
    sampler = built("stratified", 5, range(2))
    stratum = torch.empty(45, dtype=torch.int64)
    stratum[stratify(POINTS, 5)] = torch.arange(45) // 9
    rows = [tuple(row) for number in range(30) for row in stratum[sampler.batch(number)].tolist()]
    assert all(sorted(row) == list(range(5)) for row in rows)
    assert len(set(rows)) > 30


@pytest.mark.parametrize("n", [45, 12])
def test_dpp_batches_are_of_one_pool_and_diverse(n):
    """Batches have a larger kernel determinant than random ones of the same pools."""
    sampler, points = built("dpp", 4, range(8), POINTS[:n]), POINTS[:n]
    law = kernel(points)

    def volume(index):
        return torch.linalg.slogdet(law[index[:, :, None], index[:, None, :]])[1].mean()

    drawn = torch.stack([volume(sampler.batch(number)) for number in range(12)]).mean()
    random = torch.stack([volume(built("random", 4, range(8), points).batch(number)) for number in range(12)]).mean()
    assert drawn > random + 0.5
    if n > 16:
        for start in (0, 4):
            assert len(set(torch.cat([sampler.batch(start + k)[0] for k in range(4)]).tolist())) <= 16


def streams(seeds):
    return [("generated", seed) for seed in seeds]


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_generated_points_are_a_function_of_the_seed_and_its_points(name):
    pool = torch.randn(4, 48, 2, generator=torch.Generator().manual_seed(5))
    together = batches(name, pool, 6, streams(range(4)))
    assert torch.equal(batches(name, pool[2:3], 6, streams(range(2, 3))), together[2:3])
    ruined = pool.clone()
    ruined[1, 3] = torch.nan
    after = batches(name, ruined, 6, streams(range(4)))
    assert torch.equal(after[[0, 2, 3]], together[[0, 2, 3]])
    assert after[1].min() >= 0 and after[1].max() < 48


def test_stratified_batches_follow_the_distribution_of_the_points():
    """One point of each stratum: the mean of a batch scatters far less than that of as many independent draws."""
    pool = torch.randn(300, 128, 1, generator=torch.Generator().manual_seed(5))
    first = batches("stratified", pool, 16, streams(range(300)))[:, 0]
    found = pool.gather(1, first.unsqueeze(-1))
    spread = found.mean(1).std()
    assert abs(found.mean()) < 4 * spread / 300**0.5
    assert spread < 0.5 / 16**0.5
    assert abs(float(found.std()) - 1) < 0.05


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("m", [4, 12, 45])
def test_measured_batches(name, shared, m):
    points = POINTS if shared else POINTS.expand(3, 45, 3)
    streams = [("measured", seed) for seed in range(3)]
    found = batches(name, points, m, streams)
    assert found.shape == (3, 45 // m, m)
    for own in found.tolist():
        assert all(len(set(row)) == m for row in own)
        if samplers()[name].partitions:
            assert len({i for row in own for i in row}) == 45 // m * m
    assert torch.equal(batches(name, points if shared else points[1:2], m, streams[1:2]), found[1:2])
