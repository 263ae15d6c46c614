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
    Row("lowest_curvature", "", 0.01, 1e-6, 0.0, relation=">"),
    Row("variance_spread", "", 0.01, 0.02, 0.0, 0.1),
    Row("largest_discretisation", "", 1.02, expected=1.0, tolerance=0.1),
    Row("participation_ratio", "", 4.0, 0.1, 4.0, 2.0),
    Row("escape_ratio", "", 1.0, 0.1, 1.0, 0.5),
]


def verdict(sampling="replacement", dim=1, **changes):
    """Return the verdict with the value, or value and error, or other fields of some rows changed."""
    rows = []
    for row in GOOD:
        change = changes.get(row.key, {})
        if not isinstance(change, dict):
            value, error = change if isinstance(change, tuple) else (change, row.error)
            change = {"value": value, "error": error}
        rows.append(replace(row, **change))
    return verdict_of(rows, SGD(0.1, 5, sampling=sampling), 0.1, min(dim, 3), dim)


HOT = "stationary but 23% hotter than the quadratic theory: "
NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Langevin at T = 0.01 within 4%; thermal along the stiffest directions: Phi is the loss up to a scale"),
        ({"participation_ratio": 1.0}, "Langevin at T = 0.01 within 4%; thermal along the stiffest directions: Phi is "
         "the loss up to a scale, but the noise as a whole is not isotropic"),
        ({"potential_distance": 0.5}, "Langevin at T = 0.01 within 4%; not thermal: Phi is not the loss (distance 0.5 "
         "T)"),
        ({"potential_distance": (0.1, 0.02)}, "Langevin at T = 0.01 within 4%"),
        ({"variance": 1.23}, HOT + "anharmonic"),
        ({"variance": 1.23, "noise_growth": 1.2}, HOT + "its noise is 1.2 times that at the point; thermal along the "
         "stiffest directions: Phi is the loss up to a scale"),
        ({"variance": 1.23, "noise_growth": (1.2, 0.2)}, HOT + "its noise differs, or it is anharmonic (not resolved)"),
        ({"variance": 1.23, "noise_growth": NAN}, HOT + "its noise differs, or it is anharmonic (not resolved)"),
        ({"variance": 1.5, "noise_growth": 1.2}, "stationary but 50% hotter than the quadratic theory: anharmonic, and "
         "its noise is 1.2 times that at the point"),
        ({"variance": 0.8}, "stationary but 20% colder than the quadratic theory: anharmonic"),
        ({"variance": (1.08, 0.05)}, "stationary; temperature not resolved at a tolerance of 10%: variances 1.08 "
         "+- 0.05 of the quadratic theory; more replicas tell"),
        ({"variance_spread": (0.4, 0.05)}, "stationary, with the variances of the exact map, but not in each: they "
         "differ by 40% (rms); thermal along the stiffest directions: Phi is the loss up to a scale"),
        ({"effective_temperature": 0.014}, "stationary as the exact map within 2%, not as its Langevin limit: variances"
         " +40% of those at T = 0.01, +35% by lr lambda; thermal along the stiffest directions: Phi is the loss up to "
         "a scale"),
        ({"effective_temperature": (0.0108, 0.0005), "potential_distance": (0.1, 0.1)}, "stationary as the exact map "
         "within 2%; Langevin at T = 0.01 within 18%, not resolved"),
        ({"largest_discretisation": 1.33, "potential_distance": NAN}, "Langevin at T = 0.01 within 4% (+33% by lr "
         "lambda along one)"),
        ({"change": 0.3}, "not stationary: <y^2> changes by +30% while it is measured"),
        ({"change": (0.08, 0.03), "potential_distance": NAN}, "Langevin at T = 0.01 within 4%; change of <y^2> +8% +- "
         "3% not resolved"),
        ({"variance": 1.23, "minimum": 0.1, "potential_distance": 0.11}, HOT + "anharmonic; the start was no minimum"),
        ({"variance": 1.23, "change": (0.08, 0.03)}, "stationary (not resolved) but 23% hotter than the quadratic "
         "theory: anharmonic; change of <y^2> +8% +- 3% not resolved"),
        ({"lowest_curvature": -0.1}, "Langevin at T = 0.01 within 4%; the point is a saddle, with a curvature of -0.1 "
         "lambda_max"),
        ({"lowest_curvature": 0.0, "potential_distance": NAN}, "Langevin at T = 0.01 within 4%; some directions may be "
         "flat, and no state is stationary along them"),
        ({"fluctuation_dissipation": 0.6}, "not stationary: fluctuation-dissipation ratio 0.6"),
        ({"fluctuation_dissipation": 0.6, "minimum": 0.1}, "not stationary: fluctuation-dissipation ratio 0.6; the "
         "start was no minimum"),
        ({"equilibration": 300}, "NOT EQUILIBRATED: 300 steps before measuring, the slowest direction needs 400; "
         "nothing follows from the rows: leave n_steps out, or take 1200"),
        ({"diverged": 0.01}, "not stationary: replicas left for infinity"),
        ({"stiffness": 2.1}, "not stationary: lr lambda_max = 2.1 is above the limit 2; take less than 0.952 of this "
         "lr"),
        ({"gradient_over_noise": 3.0, "variance_amplified": 0.5, "tail_index": 1.5, "potential_distance": NAN},
         "Langevin at T = 0.01 within 4%; against it: G/N, SVAG, tails"),
        ({"fluctuation_dissipation": (0.99, 0.1), "potential_distance": NAN}, "Langevin at T = 0.01 within 4%; "
         "fluctuation-dissipation ratio 0.99 +- 0.1 not resolved"),
    ],
)  # fmt: skip
def test_the_sentence_follows_from_the_rows(changes, text):
    assert verdict(**changes) == text


def test_it_names_the_directions_it_speaks_of():
    assert verdict(dim=910).startswith("Langevin at T = 0.01 within 4% on the average of 3 of 910 directions; thermal")
    assert verdict_of(GOOD, SGD(0.1, 5), 0.1, 1, 7).startswith(
        "Langevin at T = 0.01 within 4% along one direction of 7"
    )


def test_few_replicas_widen_the_bound():
    heat = {"errors": 4.0}  # 8 % + 4 * .5 %, not 2 * .5 %
    assert verdict(effective_temperature=heat, variance=heat).startswith("Langevin at T = 0.01 within 5%")


def test_shuffled_epochs_have_no_temperature():
    assert verdict("shuffle") == "stationary as the theory of epoch shuffling says, within 2%; no temperature"
