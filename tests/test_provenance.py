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


def test_what_has_no_source_has_no_hash():
    assert source_hash(np.sin) is None
    assert source_hash(functools.partial(falling)) is None
    assert qualified_name(functools.partial(falling)) == "functools.partial"


def test_arrays_are_told_by_their_numbers():
    assert digest([1, 2]) == digest(np.array([1.0, 2.0])) != digest([2, 1])
