"""Random numbers are a function of seed, stream and number, whoever else draws and whatever was drawn before."""

import pytest
import torch
from scipy import stats

from pwgan.training.draws import Draws

CPU = torch.device("cpu")


def draws(seeds=range(4)):
    return Draws(seeds, CPU)


@pytest.mark.parametrize("law", ["normal", "uniform"])
def test_a_draw_does_not_depend_on_what_was_drawn_before(law):
    numbers = [3, 0, 40, 15, 16, 3, 200, 17]
    busy = draws()
    drawn = [busy.draw("latent", number, (5, 2), law) for number in numbers]
    for number, found in zip(numbers, drawn, strict=True):
        assert found.shape == (4, 5, 2)
        assert torch.equal(found, draws().draw("latent", number, (5, 2), law))


def test_a_seed_does_not_see_who_is_trained_beside_it():
    together = draws(range(8))
    for number in (0, 15, 16, 33):
        block = together.draw("latent", number, (6, 3))
        assert torch.equal(block[3:4], draws(range(3, 4)).draw("latent", number, (6, 3)))
        assert torch.equal(block[2:6], draws(range(2, 6)).draw("latent", number, (6, 3)))
    block, alone = together.uniforms("uniform", 7), draws(range(3, 4)).uniforms("uniform", 7)
    assert all(torch.equal(block(5)[3:4], alone(5)) for _ in range(3))


def test_seeds_streams_numbers_and_distributions_have_independent_draws():
    one = draws()
    found = [one.draw(stream, number, (50,)) for stream in ("latent", "evaluation") for number in (0, 1, 15, 16, 32)]
    rows = torch.cat(found)
    assert len(torch.unique(rows, dim=0)) == len(rows) == 40
    uniform = one.draw("latent", 0, (50,), "uniform")
    # Not the same numbers through another function either.
    assert not torch.equal(uniform.argsort(-1), found[0].argsort(-1))


def test_draws_follow_their_distribution():
    one = draws(range(2))
    normal = torch.cat([one.draw("latent", number, (100, 10)).flatten() for number in range(20)])
    uniform = torch.cat([one.draw("latent", number, (100, 10), "uniform").flatten() for number in range(20)])
    # The draws are the same for ever: these are no chances taken, but statements about 40000 numbers.
    assert stats.kstest(normal.numpy(), "norm").pvalue > 0.01
    assert stats.kstest(uniform.numpy(), "uniform").pvalue > 0.01
    assert uniform.min() >= 0 and uniform.max() < 1
    first, second = one.draw("latent", 0, (10000,))
    assert abs(stats.pearsonr(first, second).statistic) < 0.03


def test_each_call_within_a_batch_draws_anew_and_each_batch_again():
    uniform = draws().uniforms("uniform", 5)
    drawn = [uniform(8), uniform(8), uniform(8, 2)]
    assert [tuple(x.shape) for x in drawn] == [(4, 8), (4, 8), (4, 8, 2)]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], draws().uniforms("uniform", 6)(8))
    again = draws().uniforms("uniform", 5)
    assert all(torch.equal(found, again(*found.shape[1:])) for found in drawn)


def test_nobody_else_s_random_numbers_are_touched():
    before = torch.get_rng_state()
    one = draws()
    one.draw("latent", 0, (3,))
    one.uniforms("uniform", 0)(3)
    assert torch.equal(torch.get_rng_state(), before)
