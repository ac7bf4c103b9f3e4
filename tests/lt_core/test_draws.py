"""Random numbers that depend only on seed, epoch, image and draw."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from lt_core.data.draws import Draws, Numbers

CPU = torch.device("cpu")


def test_the_stream_is_splitmix64():
    """The first outputs for the seed 1234567, as published with the reference code (prng.di.unimi.it, splitmix64.c)."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    expected = torch.tensor([value >> 40 for value in published]).float() / 2**24
    assert torch.equal(Numbers(torch.tensor([1234567])).take(5)[:, 0], expected)


def test_numbers_are_uniform_and_go_on():
    numbers = Draws(5000, CPU).numbers(torch.arange(5000), seed=3)
    first, second = numbers.take(2), numbers.take(1)
    assert first.min() >= 0 and first.max() < 1
    for sample in (first[0], first[1], second[0], first[:, 0]):
        assert len(sample) < 10 or kstest(sample.numpy(), "uniform").pvalue > 1e-3
    # Neighbouring images, and neighbouring numbers of one image, are uncorrelated.
    for a, b in ((first[0, 1:], first[0, :-1]), (first[0], first[1]), (first[1], second[0])):
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1]) < 0.06


def test_seed_epoch_image_and_draw_each_change_the_numbers():
    def of(seed=1, epoch=2, image=3, before=0):
        draws = Draws(10, CPU)
        draws.begin(epoch)
        for _ in range(before):
            draws.skip(torch.tensor([image]))
        return draws.numbers(torch.tensor([image]), seed).take(1).item()

    plain = of()
    assert plain == of()
    assert len({plain, of(seed=2), of(epoch=3), of(image=4), of(before=1), of(before=2)}) == 6


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_a_batch_in_parts_is_the_whole_batch(images, data):
    """Parts one after another, as in micro-batches; and single parts with the others skipped, as on ranks."""
    positions = torch.tensor(images)
    cut = data.draw(st.integers(0, len(images)))
    whole, parts, rank = (Draws(6, CPU) for _ in range(3))
    expected = whole.numbers(positions, 7).take(3)
    first, second = positions[:cut], positions[cut:]
    assert torch.equal(torch.cat([parts.numbers(first, 7).take(3), parts.numbers(second, 7).take(3)], dim=1), expected)
    rank.skip(first)
    assert torch.equal(rank.numbers(second, 7).take(3), expected[:, cut:])
    assert torch.equal(whole.drawn, parts.drawn) and torch.equal(whole.drawn, torch.bincount(positions, minlength=6))


def test_an_image_that_is_drawn_twice_has_other_numbers():
    numbers = Draws(3, CPU).numbers(torch.tensor([1, 1, 1, 1]), 0).take(1)[0]
    assert len(set(numbers.tolist())) == 4


def test_draws_that_follow_others_have_their_epoch():
    lead = Draws(4, CPU)
    follower = Draws(4, CPU, lead)
    image = torch.tensor([2])

    def next_number():
        return follower.numbers(image, 0).take(1).item()

    lead.begin(5)
    first, second = next_number(), next_number()
    lead.begin(6)
    assert next_number() not in (first, second)
    lead.begin(5)
    assert (next_number(), next_number()) == (first, second)
    lead.begin(5)  # again, as after a failed epoch
    assert next_number() == first
