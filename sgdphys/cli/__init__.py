"""The command line: parse, call one library function, print.

Nothing heavy is imported before a command runs, so that ``sgdphys --help`` answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from sgdphys.cli.parser import build_parser, protect_minus

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

REFUSED, FAILED, INTERRUPTED, BROKEN_PIPE = 2, 1, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv
        Arguments without the program's name; None means those of the process.

    Returns
    -------
    int
        Exit code: 0, 2 for a refusal, 130 after Ctrl-C, 1 for a fault of sgdphys itself.
    """
    try:
        arguments = build_parser().parse_args(protect_minus(sys.argv[1:] if argv is None else argv))
    except SystemExit as exit_of_argparse:
        return int(exit_of_argparse.code or 0)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _run(arguments)


def _run(arguments: Any) -> int:
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("interrupted; a store keeps what was committed, --resume goes on with it", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader is gone; let the final flush succeed
        return BROKEN_PIPE
    except (ValueError, OSError) as error:
        return _say(str(error), REFUSED)
    except Exception as error:
        if os.environ.get("SGDPHYS_TRACEBACK"):
            raise
        first_line = str(error).partition("\n")[0]
        return _say(f"unexpected {type(error).__name__}: {first_line} (SGDPHYS_TRACEBACK=1 shows where)", FAILED)


def _say(message: str, code: int) -> int:
    print(f"sgdphys: {' '.join(message.split())}", file=sys.stderr)
    return code


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    if issubclass(category, (UserWarning, RuntimeWarning)):
        _say(f"warning: {message}", 0)
