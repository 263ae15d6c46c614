import gc

import pytest
import torch

from sgdphys.network.noise.peak_memory import growth_of, levels_and_kept

CPU = torch.device("cpu")


def test_moments_and_what_is_kept_are_counted():
    levels, kept = levels_and_kept(lambda: (torch.ones(1000) + torch.ones(1000)).sum(), CPU)
    assert levels.max() == 3 * 4000 + 4 or levels.max() == 3 * 4000
    assert kept == 4


def test_what_a_kernel_takes_for_itself_is_in():
    layer, images = torch.nn.Conv2d(1, 8, 5), torch.zeros(64, 1, 28, 28)
    with torch.no_grad():
        levels, kept = levels_and_kept(lambda: layer(images), CPU)
    assert kept == 64 * 8 * 24 * 24 * 4
    assert levels.max() >= kept


def test_the_moment_of_the_peak_may_move_with_the_number_of_samples():
    def compute(n):
        first = torch.ones(10_000).sum()  # 40 kB, whatever the number
        return first + torch.ones(100 * n).sum()  # 400 B a sample

    growth = growth_of(compute, 1000, CPU)
    assert growth.peak_of(10) == pytest.approx(40_000, rel=0.01)
    assert growth.peak_of(1000) == pytest.approx(400_000, rel=0.01)


def test_a_failure_leaves_profiler_threads_and_collector_as_they_were():
    threads = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        levels_and_kept(lambda: 1 // 0, CPU)
    assert gc.isenabled()
    assert torch.get_num_threads() == threads
    assert not torch.autograd._profiler_enabled()
    assert levels_and_kept(lambda: torch.ones(1000), CPU)[1] == 4000
