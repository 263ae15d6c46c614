"""Free memory, as the system or a container has it, and what would not fit."""

import pytest

from sgdphys.errors import MemoryLimitError
from sgdphys.simulation import memory


def test_the_system_knows_a_plausible_amount():
    assert 2**20 < memory.available_memory() < 2**50


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CONTAINER", tmp_path)
    free = memory.available_memory()
    assert free < memory.UNKNOWN
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_memory() == pytest.approx(free, rel=0.2)
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory.available_memory() == 4000
    (tmp_path / "memory.max").write_text("500\n")
    assert memory.available_memory() == 0


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (3e15, "3e+03 TB")]
)
def test_sizes_are_readable(size, text):
    assert memory.readable(size) == text


def test_what_does_not_fit_is_refused_with_its_size(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    memory.refuse_above_memory(900, "nothing", "do nothing")
    with pytest.raises(MemoryLimitError, match=r"ten frames: 2 kB are needed, 1 kB are free; save fewer"):
        memory.refuse_above_memory(2000, "ten frames", "save fewer")
