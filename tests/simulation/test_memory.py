import pytest

from sgdphys.errors import MemoryLimitError
from sgdphys.simulation.memory import available_memory, readable, refuse_above_memory


def test_what_fits_passes_and_what_does_not_is_refused():
    assert available_memory() > 10**6
    refuse_above_memory(10, "a number", "")
    with pytest.raises(MemoryLimitError, match=r"a wish: 1e\+06 TB are needed, .* are free; wish less"):
        refuse_above_memory(10**18, "a wish", "wish less")


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3e+03 TB")])
def test_sizes_are_readable(size, text):
    assert readable(size) == text
