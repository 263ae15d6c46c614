"""``sgdphys plot``: draw what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

__all__ = ["add_parser"]


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("plot", help="draw what a store holds", description=__doc__, allow_abbrev=False)
    parser.add_argument("store", metavar="STORE", help="directory of the store")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="picture to write, png, pdf or svg, or film, gif or mp4 (default: STORE with .png)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    import sgdphys
    from sgdphys import plots
    from sgdphys.cli.corruption import naming_corrupt_chunks

    dataset = sgdphys.open(arguments.store)
    output = arguments.output or f"{arguments.store.rstrip('/').removesuffix('.zarr')}.png"
    if output.lower().endswith((".gif", ".mp4")):
        with naming_corrupt_chunks(arguments.store):
            plots.animate(dataset, output)
        print(f"film: {output}")
        return 0
    with naming_corrupt_chunks(arguments.store):
        figure = plots.draw_dataset(dataset)
    plots.save_figure(figure, output)
    print(f"picture: {output}")
    return 0
