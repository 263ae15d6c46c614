import numpy as np
import pytest
from grid_landscapes import Well

from sgdphys.fokker_planck import Grid, discretise
from sgdphys.fokker_planck.elimination import chain_of, eliminate, elimination_fits


def test_the_band_holds_every_rate_once():
    operator = discretise(Well(dim=2, tilt=0.2), temperature=0.3, grid=Grid([(-2, 2, 4), (-1, 1, 7)]))
    chain = chain_of(operator)
    assert chain.band == 4  # the longer axis varies slowest
    dense = np.zeros((28, 28))
    for place in range(28):
        for other in range(max(0, place - 4), min(28, place + 5)):
            dense[chain.order[other], chain.order[place]] = chain.rates[place, 4 + other - place]
    rates = operator.matrix.toarray()
    np.testing.assert_array_equal(dense, rates - np.diag(np.diag(rates)))
    assert elimination_fits(operator)


def test_three_cells_by_hand():
    # hops 0 <-> 1 <-> 2 and out of 2: eliminating 2 leaves 1 -> out at 3 * 5/(4 + 5), and so on
    operator = discretise(Well(), temperature=1.0, grid=Grid([(-1, 1, 3)]))
    chain = chain_of(operator)
    chain.rates[:] = [[0, 0, 2], [7, 0, 3], [4, 0, 0]]
    absorption, duration = np.array([0.0, 0.0, 5.0]), np.ones(3)
    totals = eliminate(chain, absorption, duration)
    assert totals == pytest.approx([2 * (5 / 3) / (7 + 5 / 3), 7 + 5 / 3, 9], rel=1e-15)
    assert absorption == pytest.approx([totals[0], 5 / 3, 5], rel=1e-15)
    assert duration == pytest.approx([1 + 2 / (7 + 5 / 3) * (4 / 3), 4 / 3, 1], rel=1e-15)
