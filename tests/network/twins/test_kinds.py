import pytest

from sgdphys.network.twins.kinds import KINDS, twin_of_kind


def test_each_kind_makes_landscape_and_noise(line):
    settings = {
        "quadratic": {"rank": 1},
        "anharmonic": {"directions": 1, "half_width": 0.5, "knots": 5},
        "last layer": {},
    }
    for kind, given in settings.items():
        landscape, noise = twin_of_kind(line(), kind, given)
        assert landscape.dim == 1
        assert hasattr(noise, "kick_term")
    assert set(KINDS) == {*settings, "full"}


def test_unknown_kinds_and_settings_are_refused(line):
    with pytest.raises(ValueError, match="kind must be one of 'quadratic', 'full', 'anharmonic', 'last layer', got 3"):
        twin_of_kind(line(), 3, {})
    with pytest.raises(ValueError, match="a twin of kind 'last layer' takes output, not rank"):
        twin_of_kind(line(), "last layer", {"rank": 2})
