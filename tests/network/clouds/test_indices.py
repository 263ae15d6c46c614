import math
from itertools import permutations

import numpy as np
import pytest
import torch

from sgdphys.kernels import philox
from sgdphys.network.clouds.indices import IndexStream, philox_words

CPU = torch.device("cpu")
KEY = philox.key_of(7, 3)


def stream(sampling="replacement", n_samples=1200, batch_size=32, key=KEY, device=CPU):
    return IndexStream(key, n_samples, batch_size, sampling, device)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, words):
    result = philox_words(tuple(torch.tensor([word]) for word in counter), key[0] | (key[1] << 32))
    assert " ".join(f"{int(word):08x}" for word in result) == words


@pytest.mark.parametrize(("replica", "step"), [(0, 0), (17, 5), (2**32 - 1, 2**32 - 1), (2**40 + 3, 2**44 + 9)])
@pytest.mark.parametrize("sampling", ["replacement", "shuffle"])
def test_words_have_the_counter_layout_of_the_kernels(replica, step, sampling):
    name = "network_indices" if sampling == "replacement" else "network_shuffle"
    own = stream()._words(name, torch.tensor([step]), torch.tensor([replica]), 10)[0, 0].numpy()
    kernel = np.empty((3, 4), dtype=np.uint32)
    for group in range(3):
        block = np.empty((4, 1), dtype=np.uint32)
        with np.errstate(over="ignore"):  # kernel code in plain Python: products are meant to wrap
            philox.fill_words(*map(np.uint64, (KEY, replica, step, philox.STREAMS[name], group)), block)
        kernel[group] = block[:, 0]
    assert np.array_equal(own, kernel.ravel()[:10].astype(np.int64))


def test_an_index_is_the_word_times_the_number_of_samples_over_two_to_the_32():
    words = stream()._words("network_indices", torch.arange(4, 6), torch.arange(3), 32)
    assert torch.equal(stream().draw(4, 2, 0, 3), (words.double() * 1200 / 2**32).floor().long())


@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_indices_depend_on_replica_and_step_alone(sampling):
    whole = stream(sampling, 37, 5).draw(0, 20, 0, 12)
    parts = [[stream(sampling, 37, 5).draw(k, 4, r, 3) for r in range(0, 12, 3)] for k in range(0, 20, 4)]
    assert torch.equal(whole, torch.cat([torch.cat(row, dim=1) for row in parts]))
    assert not torch.equal(whole, stream(sampling, 37, 5, key=KEY + 1).draw(0, 20, 0, 12))
    assert not torch.equal(whole[:, 0], whole[:, 1])


def test_draws_with_replacement_are_uniform_and_independent():
    draws = stream(n_samples=6, batch_size=3).draw(0, 100, 0, 2000)
    pairs = torch.bincount((draws[..., 0] * 6 + draws[..., 1]).flatten(), minlength=36).double()
    expected = 200_000 / 36
    chi_squared = float(((pairs - expected) ** 2 / expected).sum())
    assert abs(chi_squared - 35) < 4 * math.sqrt(2 * 35)


def test_without_replacement_every_subset_is_equally_likely():
    draws = stream("without", 6, 3).draw(0, 100, 0, 2000)
    subsets = (2**draws).sum(dim=-1).flatten()
    counts = torch.bincount(subsets, minlength=64).double()
    counts = counts[counts > 0]
    expected = 200_000 / 20
    assert len(counts) == 20  # all of them, and no sample twice
    assert abs(float(((counts - expected) ** 2 / expected).sum()) - 19) < 4 * math.sqrt(2 * 19)


@pytest.mark.parametrize(("sampling", "factor"), [("replacement", 1.0), ("without", 3 / 5)])
def test_batch_gradients_have_the_covariance_of_their_sampler(sampling, factor):
    # physics.md C4 by draws: Cov = factor C / B with the population covariance C; 1/(N-1) in C would be 6/5 as large
    gradients = torch.tensor(np.random.default_rng(0).normal(size=(6, 2)))
    exact = factor * torch.cov(gradients.T, correction=0) / 3
    batches = gradients[stream(sampling, 6, 3).draw(0, 100, 0, 2000)].mean(dim=2).flatten(0, 1)
    centred = batches - gradients.mean(dim=0)
    products = (centred[:, :, None] * centred[:, None, :]).flatten(1)
    errors = products.std(dim=0) / len(products) ** 0.5
    z = (products.mean(dim=0) - exact.flatten()) / errors
    assert float(z.abs().max()) < 4
    assert float((0.2 * exact.diagonal() / errors[[0, 3]]).min()) > 10


@pytest.mark.parametrize(
    ("sampling", "tops", "factor"), [("replacement", (6, 6, 6), 1.0), ("without", (4, 5, 6), 3 / 5)]
)
def test_all_words_together_give_the_covariance_without_tolerance(sampling, tops, factor, monkeypatch):
    # physics.md C4: words that fall once into each of `tops` equal cells, in all combinations (216 and 120)
    cells = torch.cartesian_prod(*(((torch.arange(top) + 0.5) * 2**32 / top).long() for top in tops))
    monkeypatch.setattr(IndexStream, "_words", lambda *_: cells[None])
    draws = stream(sampling, 6, 3).draw(0, 1, 0, len(cells))[0]
    gradients = torch.tensor(np.random.default_rng(0).normal(size=(6, 2)))
    batches = gradients[draws].mean(dim=1)
    expected = factor * torch.cov(gradients.T, correction=0) / 3
    np.testing.assert_allclose(batches.mean(dim=0), gradients.mean(dim=0), rtol=0, atol=1e-15)
    np.testing.assert_allclose(torch.cov(batches.T, correction=0), expected, rtol=0, atol=1e-14)
    subsets, counts = draws.sort(dim=1).values.unique(dim=0, return_counts=True)
    assert sampling == "replacement" or (len(subsets) == 20 and set(counts.tolist()) == {6})


def test_the_whole_data_set_is_one_batch_in_order():
    assert torch.equal(stream("without", 9, 9).draw(3, 1, 0, 2), torch.arange(9).expand(1, 2, 9))


def test_an_epoch_is_a_permutation_without_its_last_short_batch():
    draws = stream("shuffle", 23, 5).draw(0, 12, 0, 50).reshape(3, 4, 50, 5)
    epochs = draws.permute(0, 2, 1, 3).reshape(3, 50, 20)
    assert all(len(set(row.tolist())) == 20 for epoch in epochs for row in epoch)
    assert not torch.equal(epochs[0], epochs[1])


def test_the_remembered_order_is_that_of_its_replicas():
    own = stream("shuffle", 23, 5)
    for number in (4, 9):  # the same epoch twice
        drawn = own.draw_for(range(4), torch.tensor([number]))
        assert torch.equal(drawn, stream("shuffle", 23, 5).draw(0, 4, number, 1))


def test_every_order_of_an_epoch_is_equally_likely():
    draws = stream("shuffle", 3, 1).draw(0, 3, 0, 30_000)[..., 0].T
    names = (draws * torch.tensor([9, 3, 1])).sum(dim=1)
    counts = torch.stack([(names == 9 * a + 3 * b + c).sum() for a, b, c in permutations(range(3))]).double()
    assert abs(float(((counts - 5000) ** 2 / 5000).sum()) - 5) < 4 * math.sqrt(2 * 5)


def test_a_key_for_each_replica_is_found_by_its_number():
    keys = [philox.key_of(seed) for seed in (3, 9, 2**40)]
    draws = stream(key=keys).draw(5, 4, 0, 3)
    for replica, key in enumerate(keys):
        assert torch.equal(draws[:, replica], stream(key=key).draw(5, 4, replica, 1)[:, 0])


def test_places_in_the_data_of_a_schedule():
    replicas = torch.tensor([4, 1])
    own = stream("shuffle", 23, 5).draw_for(range(6), replicas)
    places = [(step // 4, step % 4 * 5) for step in range(6)]
    assert torch.equal(own, stream("shuffle", 23, 5).draw_for(range(100, 106), replicas, places))
    later = stream("shuffle", 23, 5).draw_for(range(1), replicas, [(0, 7)])
    order = torch.cat(tuple(own[:4]), dim=1)
    assert torch.equal(later[0], order[:, 7:12])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("sampling", ["replacement", "without", "shuffle"])
def test_cuda_draws_the_same_indices(sampling):
    cuda = stream(sampling, 37, 5, device=torch.device("cuda")).draw(2**33, 20, 5, 12)
    assert torch.equal(cuda.cpu(), stream(sampling, 37, 5).draw(2**33, 20, 5, 12))
