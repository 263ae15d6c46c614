"""``sgdphys measure``: whether the SGD of a network is a Langevin process, and at which temperature."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgdphys.cli.options import add_store
from sgdphys.cli.values import integer, integers, number

if TYPE_CHECKING:
    import argparse

    from sgdphys.network import Network

__all__ = ["add_parser"]

_EXAMPLE = "digits"


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "measure", help="is a network's SGD a Langevin process?", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "network",
        metavar="MODULE:FACTORY",
        help="a function without arguments, or a name, that gives an sgdphys Network, best at its minimum: "
        "package.module:make or my.py:make; or digits for the bundled example",
    )
    parser.add_argument("--lr", type=number, required=True, help="learning rate")
    parser.add_argument("--batch-size", type=integer, required=True, help="samples in a minibatch")
    parser.add_argument("--momentum", type=number, default=0.0, help="heavy-ball coefficient, default 0")
    parser.add_argument(
        "--sampling", choices=("replacement", "without", "shuffle"), default="replacement", help="default replacement"
    )
    parser.add_argument("--n-replicas", type=integer, default=200, help="networks in the cloud, default 200")
    parser.add_argument("--n-steps", type=integer, help="steps of the cloud (default: what the slowest needs)")
    parser.add_argument("--rank", type=integer, default=20, help="leading directions of the Hessian, default 20")
    parser.add_argument("--svag", metavar="L,..", type=integers, help="refinements of SVAG, default 1,2,4; 1 for none")
    parser.add_argument("--tolerance", type=number, default=0.1, help="relative difference that agrees, default 0.1")
    parser.add_argument("--seed", type=integer, default=0, help="default 0")
    parser.add_argument("--threads", type=integer, help="default: all cores")
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    parser.add_argument("--output", metavar="FILE", help="picture to draw: png, pdf or svg")
    add_store(parser, None)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from sgdphys.sgd import SGD

    sgd = SGD(arguments.lr, arguments.batch_size, momentum=arguments.momentum, sampling=arguments.sampling)
    _check_output(arguments)
    network = network_of(arguments.network)
    print(network, flush=True)
    svag = (1, 2, 4) if arguments.svag is None else tuple(arguments.svag)
    result = network.validity(
        sgd,
        rank=arguments.rank,
        n_replicas=arguments.n_replicas,
        n_steps=arguments.n_steps,
        svag=() if svag == (1,) else svag,
        tolerance=arguments.tolerance,
        seed=arguments.seed,
        threads=arguments.threads,
        progress=False if arguments.no_progress else None,
    )
    from sgdphys.network.validity import table

    print(table(result))
    _keep(arguments, result)
    return 0


def _check_output(arguments: argparse.Namespace) -> None:
    """Refuse what could not be written, before anything is computed."""
    if arguments.output:
        from sgdphys.plots.figures import picture_path

        picture_path(arguments.output)
    if not arguments.store:
        return
    from sgdphys.store.directory import existing_store, resolve

    target = resolve(arguments.store)
    if not target.parent.is_dir():
        raise ValueError(f"the folder {str(target.parent)!r} of the store does not exist; make it first")
    if target.exists() and not arguments.overwrite:
        raise ValueError(f"{arguments.store} is there already; --overwrite replaces it")
    if target.exists():
        existing_store(target)


def _keep(arguments: argparse.Namespace, result: Any) -> None:
    if arguments.store:
        from sgdphys.store import save_dataset

        save_dataset(arguments.store, result, overwrite=arguments.overwrite)
        print(f"store: {arguments.store}")
    if arguments.output:
        from sgdphys import plots

        plots.save_figure(plots.draw_validity(result), arguments.output)
        print(f"picture: {arguments.output}")


def network_of(text: str) -> Network:
    """Return the network that a text of the command line names.

    Parameters
    ----------
    text
        ``"digits"``, the bundled classifier at its minimum; ``"package.module:name"`` or ``"path/file.py:name"`` with
        the name of a Network or of a function without arguments that returns one. The current folder counts as a place
        to look for modules.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    ValueError
        There is no such module or name, the module or the function fails, or it gives something else.
    """
    from sgdphys.network import Network, digits_network

    if text == _EXAMPLE:
        return digits_network().minimum()
    place, _, name = text.rpartition(":")
    if not (place and name):
        raise ValueError(f"{text!r} must be MODULE:FACTORY, such as my.py:make, or digits")
    made: Any = _module(place)
    for part in name.split("."):
        if not hasattr(made, part):
            raise ValueError(f"{place} has no {name!r}; it has {_names(made)}")
        made = getattr(made, part)
    if not isinstance(made, Network) and callable(made):
        made = _called(made, text)
    if not isinstance(made, Network):
        raise ValueError(
            f"{text} does not give an sgdphys Network, but {type(made).__name__}; "
            "it has to return sgdphys.Network(model, loss, data)"
        )
    return made


def _names(place: Any) -> str:
    here = getattr(place, "__name__", None)
    own = [name for name in dir(place) if getattr(getattr(place, name, None), "__module__", "") == here]
    return ", ".join(own[:8]) or "no function"


def _module(place: str) -> Any:
    if place.endswith(".py"):
        return _file(Path(place).expanduser())
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        missing = error.name or place
        if place == missing or place.startswith(f"{missing}."):
            raise ValueError(f"there is no module {place!r} here; a file ends in .py, as my.py:make") from error
        raise ValueError(f"{place} needs the module {missing!r}, which is not installed") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"{place} fails on import: {_said(error)}") from error


def _file(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules.setdefault(path.stem, module)  # classes of the file can be pickled and found again
    sys.path.insert(0, str(path.parent.resolve()))  # as for a script, for what it imports
    try:
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} fails: {_said(error)}") from error
    return module


def _called(factory: Any, text: str) -> Any:
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise ValueError(f"{text}() fails: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
