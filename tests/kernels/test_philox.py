"""Random bits: Random123's vectors, the counter layout, keys, and what is refused."""

import itertools

import naive
import numpy as np
import pytest

from sgdphys import schema
from sgdphys.kernels import loop, observing, philox
from sgdphys.kernels.source import source_text
from sgdphys.kernels.steps import euler_maruyama_step

# the file kat_vectors of Random123: counter, key, words
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
WORDS = "'UniTuple(uint64, 4)(uint64, uint64, uint64, uint64, uint64, uint64)'"
DRAW = "'UniTuple(uint64, 4)(uint64, uint64, uint64, uint64, uint64)'"
FILL = "'void(uint64, uint64, uint64, uint64, uint64, uint32[:, ::1])'"


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(compiled, counter, key, answer):
    arguments = [np.uint64(word) for word in (*key, *counter)]
    assert compiled(philox.philox_words, WORDS)(*arguments) == answer
    assert naive.philox(key, counter) == answer


def test_draw_equals_the_naive_layout(compiled):
    draw = compiled(philox.draw, DRAW)
    generator = np.random.default_rng(0)
    for _ in range(300):
        particle, step = (int(generator.integers(2**48)) for _ in range(2))
        stream, group = int(generator.integers(256)), int(generator.integers(2**24))
        key = int(generator.integers(2**63))
        words = draw(*map(np.uint64, (key, particle, step, stream, group)))
        assert words == naive.words(key, particle, step, stream, group)


@pytest.mark.parametrize(
    ("field", "value", "word", "content"),
    [
        ("particle", 1, 0, 1),
        ("particle", 2**32 - 1, 0, 2**32 - 1),
        ("particle", 2**32, 3, 2**16),
        ("particle", 2**48 - 2**32, 3, 0xFFFF0000),
        ("step", 5, 1, 5),
        ("step", 2**32, 3, 1),
        ("step", 2**48 - 2**32, 3, 0xFFFF),
        ("stream", 1, 2, 2**24),
        ("stream", 255, 2, 255 * 2**24),
        ("group", 7, 2, 7),
        ("group", 2**24 - 1, 2, 2**24 - 1),
    ],
)
def test_each_field_moves_its_word(monkeypatch, field, value, word, content):
    seen = []
    monkeypatch.setattr(philox, "philox_words", lambda *arguments: seen.append(arguments))
    fields = {"particle": 0, "step": 0, "stream": 0, "group": 0, field: value}
    philox.draw(*map(np.uint64, (3 * 2**32 + 5, *fields.values())))
    expected = [0, 0, 0, 0]
    expected[word] = content
    assert tuple(int(number) for number in seen[0]) == (5, 3, *expected)


def test_fill_words_numbers_the_lanes(compiled):
    out = np.empty((4, 64), np.uint32)
    first = 2**32 - 10  # the lanes cross the border of the low word
    compiled(philox.fill_words, FILL)(*map(np.uint64, (9, first, 7, 1, 2)), out)
    for lane in range(64):
        assert tuple(out[:, lane]) == naive.words(9, first + lane, 7, 1, 2)


def test_words_of_different_counters_differ():
    fields = itertools.product((0, 1, 2**32), (0, 1, 2**32), (1, 2), (0, 1))
    words = [naive.words(1, *field) for field in fields]
    assert len(set(words)) == len(words)


def test_the_layout_is_version_one():
    assert schema.RNG_VERSION == 1
    first = naive.words(philox.key_of(0), 0, 0, philox.STREAMS["kick"], 0)
    assert first == (3415814185, 496277684, 840324651, 2732883933)


def test_streams_are_distinct_and_fit_their_field():
    assert len(set(philox.STREAMS.values())) == len(philox.STREAMS)
    assert all(0 < stream < 256 for stream in philox.STREAMS.values())


def test_kernels_draw_from_the_streams_of_the_table():
    """Kicks and bridge crossings would share their bits if these two were equal."""
    assert philox.STREAMS["kick"] == loop.KICK_STREAM
    assert philox.STREAMS["bridge"] == observing.BRIDGE_STREAM
    for function, name, stream in ((loop.advance, "KICK_STREAM", 1), (observing.note_crossed, "BRIDGE_STREAM", 5)):
        assert f"{name} = np.uint64({stream})\n" in source_text(function, {"step_of": euler_maruyama_step})


def test_keys_are_distinct():
    arguments = [(seed, *point) for seed in range(60) for point in ((), (0,), (1,), (12,), (1, 2), (2, 1))]
    keys = {philox.key_of(*numbers) for numbers in arguments}
    assert len(keys) == len(arguments)
    assert all(0 <= key < 2**64 for key in keys)
    assert philox.key_of(1, 23) != philox.key_of(12, 3)


def test_keys_are_part_of_the_format():
    assert philox.key_of(0) == 4874153020144748039
    assert philox.key_of(0, 1) == 14665784221431029572


@pytest.mark.parametrize("arguments", [(-1,), (0.5,), ("a",), (0, 1.5), (None,)])
def test_a_seed_that_is_no_whole_number_is_refused(arguments):
    with pytest.raises(ValueError, match=r"seed|point"):
        philox.key_of(*arguments)


@pytest.mark.parametrize("excess", [{"particles": 2**48 + 1}, {"steps": 2**48 + 1}, {"groups": 2**24 + 1}])
def test_overflow_of_a_counter_is_refused(excess):
    fitting = {"particles": 2**48, "steps": 2**48, "groups": 2**24}
    philox.check_counters(**fitting)
    with pytest.raises(ValueError, match=r"at most .* the noise would repeat"):
        philox.check_counters(**{**fitting, **excess})
