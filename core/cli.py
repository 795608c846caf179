"""The command line. Nothing heavy is imported before a command needs it: `--help` is instant.

This is the edge where errors become sentences: a WaggleError is told and ends with 1 (2 for a
configuration that cannot be used), anything else is a bug and is told as one, and a traceback is
shown only with --debug.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from core.arguments import build_parser
from core.command_table import COMMANDS
from core.errors import ConfigError, WaggleError
from core.home import Home, default_home

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Never raises but for --help and wrong usage (SystemExit)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["test"]:  # everything behind it belongs to pytest
        return _edge(lambda: _test(arguments[1:]), Home(default_home()), debug=False)
    args = build_parser().parse_args(arguments)
    args.set = [*args.set_before, *getattr(args, "set", [])]
    args.limits = [
        f"model.{key}={size:.6f}"
        for key, size in (("max_ram_gib", args.max_ram), ("max_vram_gib", args.max_vram))
        if size is not None
    ]
    home = Home((Path(args.home).expanduser() if args.home else default_home()).absolute())
    command = COMMANDS[args.command]
    return _edge(lambda: command(args, home), home, args.debug)


def _edge(command: Callable[[], int], home: Home, debug: bool) -> int:
    try:
        code = command()
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader is gone (`| head`); what is still buffered must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_PIPE
    except WaggleError as error:
        if debug:
            raise
        print(f"waggle: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED
    except Exception as error:  # the edge of the program: told here, the details in the log
        if debug:
            raise
        from core.crash import write_crash

        print(f"waggle: {write_crash(home, error)}", file=sys.stderr)
        return EXIT_FAILED


def _test(arguments: list[str]) -> int:
    import subprocess

    from core.home import REPO_ROOT

    return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=REPO_ROOT)


if __name__ == "__main__":
    sys.exit(main())
