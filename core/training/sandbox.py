"""Locks the process it runs in: what foreign text could reach, even if a scorer went wrong.

Three layers, each enough alone for the attacks known to us. `replace_evaluators`: no scorer has an
`eval` that runs anything. `limit_resources` and `seccomp.install`: the kernel refuses memory,
descriptors, files, processes and the network. `install_audit_hook`: CPython refuses every audited
operation that is not on a short list, and while an answer is scored also every piece of code that
does not come from an installed file. There is no way back: use it in a process of its own.

Python's audit hooks are not a sandbox against code that already runs (PEP 578); here they guard
against any foreign code starting to run.
"""

from __future__ import annotations

import io
import os
import resource
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from core.training import plain_eval

MEMORY_MIB = 1024
DESCRIPTORS = 16
"""Enough for the pipes to the parent and a data file; more cannot be opened."""

_HARMLESS = frozenset(
    {
        "compile",
        "marshal.loads",
        "object.__getattr__",
        "object.__setattr__",
        "object.__delattr__",
        "builtins.id",
        "sys._getframe",
        "sys._getframemodulename",
        "sys.excepthook",
        "sys.unraisablehook",
    }
)
_scoring = False


def enter_foreign_text() -> None:
    """From here on only code from installed files may run, whatever it is that asks."""
    global _scoring
    _scoring = True


def leave_foreign_text() -> None:
    global _scoring
    _scoring = False


def replace_evaluators() -> None:
    """Give every loaded module of reasoning-gym evaluators that run nothing.

    `parse_expr` still uses sympy's, whose parser evaluates Python: on checked formulas only, with
    the few names that such a formula needs and without builtins. Names that a module defines
    itself stay as they are.
    """
    import sympy
    from sympy.parsing import sympy_parser

    real = sympy_parser.parse_expr
    known = {name: getattr(sympy, name) for name in plain_eval.NAMES_OF_PARSED_FORMULAS}

    def parse_expr(
        text: str, local_dict: Mapping[str, Any] | None = None, *_: Any, **more: Any
    ) -> Any:
        checked = plain_eval.check_formula(text, local_dict)
        more["global_dict"] = {**known, "__builtins__": {}}
        return real(checked, dict(local_dict or {}), **more)

    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        if top not in ("reasoning_gym", "sympy") or module is None:
            continue
        if vars(module).get("parse_expr") is real:
            module.parse_expr = parse_expr  # type: ignore[attr-defined]
        if top == "reasoning_gym":
            vars(module).setdefault("eval", plain_eval.evaluate)
            vars(module).setdefault("exec", _refuse_exec)


def _refuse_exec(*_: object) -> None:
    raise PermissionError("nothing is executed here")


def enter_empty_folder() -> None:
    """Make a folder that is gone already the current one: nothing can be read or made in it."""
    folder = tempfile.mkdtemp(prefix="waggle-scorer-")
    os.chdir(folder)
    Path(folder).rmdir()


def scrub_environment() -> None:
    for name in list(os.environ):
        if name not in ("PATH", "LANG", "LC_ALL", "TZ"):
            del os.environ[name]


class _Silence(io.TextIOBase):
    """Takes what library code prints. The log is a file, and no file can grow here."""

    def write(self, text: str) -> int:
        return len(text)


def silence() -> None:
    sys.stdout = sys.stderr = _Silence()


def limit_resources(memory_mib: int = MEMORY_MIB) -> None:
    """Address space, file size, descriptors, processes, core dumps.

    A limit that the platform does not know (macOS: address space) is left out.
    """
    limits = {
        "RLIMIT_AS": memory_mib * 2**20,
        "RLIMIT_DATA": memory_mib * 2**20,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": DESCRIPTORS,
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    for name, limit in limits.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        try:
            resource.setrlimit(number, (limit, limit))
        except (ValueError, OSError) as error:
            print(f"{name} cannot be set here: {error}", file=sys.stderr)


def install_audit_hook() -> None:
    """Refuse with PermissionError every audited operation that scoring does not need."""
    paths = sysconfig.get_paths()
    roots = {os.path.realpath(paths[key]) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    installed = tuple(root + os.sep for root in roots)

    def from_installed_file(path: object) -> bool:
        return (
            isinstance(path, str)
            and path.startswith(os.sep)  # a relative one means nothing in a folder that is gone
            and os.path.realpath(path).startswith(installed)
        )

    def may_open(path: object, mode: object, flags: object) -> bool:
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        if not isinstance(flags, int) or flags & writes:
            return False
        return from_installed_file(os.fspath(path) if isinstance(path, os.PathLike) else path)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _HARMLESS:
            return
        if event == "exec":
            if not _scoring or _may_run(args[0], from_installed_file):
                return
        elif event == "open":
            if may_open(*args):
                return
        elif event in ("os.listdir", "os.scandir"):
            if from_installed_file(args[0]):
                return
        elif event == "import" and not _scoring:
            # A module's file is then opened, or refused, by its path.
            return
        raise PermissionError(f"{event} is not allowed in the scorer")

    sys.addaudithook(hook)


def _may_run(code: object, from_installed_file: Any) -> bool:
    """Code of an installed module, or what sympy's parser made of a checked formula."""
    if not isinstance(code, CodeType):
        return False
    if from_installed_file(code.co_filename):
        return True
    return not any(isinstance(const, CodeType) for const in code.co_consts) and all(
        name in plain_eval.NAMES_OF_PARSED_FORMULAS or len(name) <= 2 for name in code.co_names
    )
