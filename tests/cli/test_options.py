"""Names of stores."""

import re

from sgdphys.cli.options import default_store


def test_names_of_stores_tell_formulas_apart():
    assert default_store("sweep", "digits") == "sweep-digits.zarr"
    assert default_store("sweep", "mueller-brown") == "sweep-mueller-brown.zarr"
    well = default_store("sweep", "x**4/4 - x**2/2")
    assert re.fullmatch(r"sweep-x-4-4-x-2-2-[0-9a-f]{6}\.zarr", well)
    assert default_store("sweep", "x**4/4-x**2/2") == well
    others = [default_store("sweep", "x**4/4 + x**2/2"), default_store("sweep", "x**4/4 - x**2/2", [("h", 0.1)])]
    assert len({well, *others}) == 3
