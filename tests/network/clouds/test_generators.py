import torch

from sgdphys.network.clouds.generators import forked_generator, generator_of

CPU = torch.device("cpu")


def test_the_generator_is_the_one_that_torch_draws_from():
    with forked_generator(CPU):
        generator_of(CPU).manual_seed(5)
        first = torch.rand(3)
        torch.manual_seed(5)
        assert torch.equal(torch.rand(3), first)


def test_a_forked_generator_is_left_as_it_was():
    before = torch.get_rng_state()
    with forked_generator(CPU):
        generator_of(CPU).manual_seed(5)
    assert torch.equal(torch.get_rng_state(), before)
