"""Names and hashes of a user's functions and arrays."""

import functools

import numpy as np

from sgdphys.provenance import digest, qualified_name, source_hash


def falling(time):
    return 1 / (1 + time)


def rising(time):
    return 1 + time


class Doubling:
    def __call__(self, time):
        return 2 * time


def test_functions_are_told_by_name_and_source():
    assert qualified_name(falling).endswith("test_provenance.falling")
    assert qualified_name(Doubling()).endswith("test_provenance.Doubling")
    assert source_hash(falling) == source_hash(falling)
    assert len({source_hash(falling), source_hash(rising)}) == 2


def annealed(rate, table=()):
    return lambda time, power=2: rate * time**power + sum(table)


def test_functions_of_one_source_are_told_by_what_they_close_over():
    assert source_hash(annealed(1.0)) == source_hash(annealed(1.0)) != source_hash(annealed(2.0))
    assert source_hash(annealed(1.0, (1.0,))) != source_hash(annealed(1.0, (2.0,)))
    arrays = np.array([1.0, 2.0]), np.array([1.0, 3.0])
    assert len({source_hash(annealed(1.0, array)) for array in arrays}) == 2


def test_a_function_that_closes_over_itself_has_a_hash():
    def countdown(n):
        return n and countdown(n - 1)

    assert source_hash(countdown) == source_hash(countdown)
    assert source_hash(falling, rising) not in {source_hash(falling), source_hash(rising, falling)}


def test_what_has_no_source_has_no_hash():
    assert source_hash(np.sin) is None
    assert source_hash(functools.partial(falling)) is None
    assert qualified_name(functools.partial(falling)) == "functools.partial"


def test_arrays_are_told_by_their_numbers():
    assert digest([1, 2]) == digest(np.array([1.0, 2.0])) != digest([2, 1])
