import numpy as np
import pytest

from sgdphys.fokker_planck import Grid
from sgdphys.fokker_planck.hops import bridges, exits_of, joined_cells

HOP = np.array([1, 2])


def test_hops_join_cells_inside_and_around():
    grid = Grid([(0, 1, 3), (0, 1, 4)], ["reflecting", "periodic"])
    left, right = joined_cells(grid, HOP)
    pairs = {(int(one), int(other)) for one, other in zip(left, right, strict=True)}
    assert pairs == {(4 * i + j, 4 * (i + 1) + (j + 2) % 4) for i in range(2) for j in range(4)}


@pytest.mark.parametrize("sides", [("absorbing", "absorbing"), ("reflecting", "absorbing"), ("absorbing", "far")])
def test_the_wall_that_a_hop_meets_first_decides(sides):
    # hop (1, 2): x low reflects, x high absorbs; y as given. Straight lines, followed by hand
    grid = Grid([(0, 5, 5), (0, 7, 7)], [("reflecting", "absorbing"), sides])
    kinds = {0: "reflecting", 1: "absorbing", 2: sides[0], 3: sides[1]}
    expected = {}
    for i in range(5):
        for j in range(7):
            for sign in (1, -1):
                meets = [(((5 if sign > 0 else 0) - i - 0.5) * sign / 1, 1 if sign > 0 else 0)]
                meets.append((((7 if sign > 0 else 0) - j - 0.5) * sign / 2, 3 if sign > 0 else 2))
                share, wall = min(meets)
                if share < 1 and kinds[wall] == "absorbing":
                    expected[7 * i + j, wall, sign] = share
    exits = exits_of(grid, HOP)
    found = {
        (int(c), int(w), 1 if w % 2 else -1): s for c, w, s in zip(exits.cell, exits.wall, exits.share, strict=True)
    }
    assert found == pytest.approx(expected)


def test_cut_off_corners_find_their_neighbours():
    grid = Grid([(0, 1, 6), (0, 1, 6)])
    parts = [joined_cells(grid, np.array(hop)) for hop in ((1, 1), (1, 2))]
    left, right = (np.concatenate(side) for side in zip(*parts, strict=True))
    lonely = sorted(set(range(36)) - set(left.tolist()) - set(right.tolist()))
    assert lonely == [5, 30]
    added = bridges(grid, left, right, np.empty(0, dtype=np.int64))
    assert [sorted(zip(*map(np.ndarray.tolist, pair), strict=True)) for pair in added] == [
        [(5, 11), (24, 30)], [(4, 5), (30, 31)],
    ]  # fmt: skip
    kept = bridges(grid, left, right, np.array([5]))  # one that can leave the grid stays alone
    assert [pair[0].tolist() for pair in kept] == [[24], [30]]
