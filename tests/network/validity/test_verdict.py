from dataclasses import replace

import pytest

from sgdphys import SGD
from sgdphys.network.validity.judgements import Row
from sgdphys.network.validity.verdict import verdict_of

GOOD = [
    Row("stiffness", "", 0.1, expected=2.0, relation="<"),
    Row("minimum", "", 1e-6, expected=1e-3, relation="<"),
    Row("diverged", "", 0.0, expected=0.0),
    Row("change", "", 0.01, 0.02, 0.0, 0.1),
    Row("equilibration", "", 500, expected=400.0, relation=">"),
    Row("fluctuation_dissipation", "", 0.99, 0.01, 1.0, 0.1),
    Row("variance", "", 1.01, 0.005, 1.0, 0.1),
    Row("effective_temperature", "", 0.0103, 0.00005, 0.01, 0.001),
    Row("noise_growth", "", 1.02, 0.01, 1.0, 0.1),
    Row("discretisation", "", 1.35, expected=1.0, tolerance=0.1),
    Row("gradient_over_noise", "", 0.03, 0.001, 1.0, relation="<"),
    Row("variance_amplified", "", 0.02, 0.01, 0.0, 0.1),
    Row("tail_index", "", 2.0, 0.02, 2.0, 0.1),
    Row("potential_distance", "", 0.01, 0.01, 0.0, 0.1),
]


def verdict(sampling="replacement", **changes):
    """Return the verdict with the value, or value and error, of some rows changed."""
    rows = []
    for row in GOOD:
        value, error = (changes.get(row.key, row.value), row.error)
        value, error = value if isinstance(value, tuple) else (value, error)
        rows.append(replace(row, value=value, error=error))
    return verdict_of(rows, SGD(0.1, 5, sampling=sampling), 0.1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Langevin at T = 0.01 within 4%; thermal: Phi is the loss up to a scale"),
        ({"potential_distance": 0.5}, "Langevin at T = 0.01 within 4%; not thermal: Phi is not the loss"),
        ({"variance": 1.23}, "stationary but 23% hotter than the quadratic theory: anharmonic; thermal"),
        ({"variance": 1.23, "noise_growth": 1.2}, "stationary but 23% hotter than the quadratic theory: its noise"),
        ({"variance": 1.5, "noise_growth": 1.2}, "stationary but 50% hotter than the quadratic theory: anharmonic,"),
        ({"variance": 0.8}, "stationary but 20% colder than the quadratic theory: anharmonic; thermal"),
        ({"variance": (1.08, 0.05)}, "stationary; variances 1.08 +- 0.05 of the quadratic theory, not resolved"),
        ({"effective_temperature": 0.014}, "stationary as the exact map within 2%, not as its Langevin limit: var"),
        ({"effective_temperature": (0.0108, 0.0005)}, "stationary as the exact map within 2%; Langevin at T"),
        ({"change": 0.3}, "not stationary: <y^2> changes by +30% while it is measured"),
        ({"variance": 1.23, "minimum": 0.1, "potential_distance": 0.11}, "stationary but 23% hotter than the quadratic "
         "theory: anharmonic; the start was no minimum"),
        ({"fluctuation_dissipation": 0.6}, "not stationary: fluctuation-dissipation ratio 0.6"),
        ({"equilibration": 300}, "NOT EQUILIBRATED: 300 steps before measuring, the slowest direction needs"),
        ({"diverged": 0.01}, "not stationary: replicas left for infinity"),
        ({"stiffness": 2.1}, "not stationary: lr lambda_max = 2.1 is above the limit 2"),
        ({"gradient_over_noise": 3.0, "variance_amplified": 0.5}, "Langevin at T = 0.01 within 4%; against it: G/N, S"),
        ({"fluctuation_dissipation": (0.99, 0.1)}, "Langevin at T = 0.01 within 4%; fluctuation-dissipation ratio"),
    ],
)  # fmt: skip
def test_the_sentence_follows_from_the_rows(changes, text):
    assert verdict(**changes).startswith(text)


def test_shuffled_epochs_have_no_temperature():
    assert verdict("shuffle").startswith("stationary as the theory of epoch shuffling says, within 2%; no temperature")
