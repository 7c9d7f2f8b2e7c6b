"""A service's script: loaded by its path, its hooks found and checked, its faults traced to file and line.

Runs in the worker process. No Twisted.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

HOOKS: Final[Mapping[str, str]] = {
    "on_event": "event",
    "on_input": "apxml",
    "on_response": "apxml",
    "on_callback": "message",
    "on_http": "request",
    "remapped_data": "",
    "on_startup": "",
    "on_shutdown": "",
    "on_suspend": "",
    "on_resume": "",
    "on_interrupt": "",
}
"""The names a service may define, and what each is called with; nothing where that is empty."""

CALLED: Final = ("on_event", "on_input", "on_response", "on_callback", "on_http")
"""A service needs one of these: without, nothing would ever reach it."""


PLATFORM_HOOKS: Final = frozenset({"on_response", "on_callback"})
"""Those of them that take what the platform posts."""


class ScriptError(Exception):
    """The script cannot be used. `sentence` names file and line; `detail` is a traceback, where there is one."""

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence: Final = sentence
        self.detail: Final = detail


SETTINGS: Final = ("CALLBACKS", "WEB_SERVICE_URL")
"""Globals of a script that say something to us, as those of the original's scripts do."""


def load(path: Path) -> tuple[Mapping[str, Callable[..., Any]], Mapping[str, Any]]:
    """Run the script and return its hooks and its settings by name. Raises `ScriptError`.

    The script may import modules that stand beside it: its folder is put at the **end** of `sys.path`, so that a file
    of the service can never stand in for a library, as a `json.py` would at the front.
    """
    sys.path.append(str(path.parent))
    # No .pyc beside the script: its time stamp has whole seconds, and a file mended within one would not be seen.
    sys.dont_write_bytecode = True
    try:
        module = _module(path)
    except SystemExit as error:
        raise ScriptError(f"{path}: called sys.exit({error.code!r}) while it was loaded") from error
    except BaseException as error:
        raise ScriptError(f"{where(error, path)}: {summary(error)}", format_traceback(error)) from error
    settings = {name: getattr(module, name) for name in SETTINGS if hasattr(module, name)}
    return find_hooks(module, path), settings


def hooks_named(path: Path) -> frozenset[str]:
    """The hooks that the script seems to define, without running it. Does not raise: `load` says what is wrong.

    For the time before a worker has loaded it: what is imported with a star is not seen.
    """
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return frozenset()
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ImportFrom(names=aliases) | ast.Import(names=aliases):
                names |= {alias.asname or alias.name for alias in aliases}
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(names & HOOKS.keys())


def find_hooks(module: ModuleType, path: Path) -> Mapping[str, Callable[..., Any]]:
    """Return the hooks that the loaded script defines. Raises `ScriptError` when they cannot be called."""
    hooks = {name: getattr(module, name) for name in HOOKS if hasattr(module, name)}
    for name, hook in hooks.items():
        argument = HOOKS[name]
        if not callable(hook):
            raise ScriptError(f"{path}: {name} is a {type(hook).__name__}, expected a function")
        if not _takes(hook, 1 if argument else 0):
            expected = f"{name}({argument})"
            code = getattr(hook, "__code__", None)
            line = f":{code.co_firstlineno}" if code is not None else ""
            raise ScriptError(f"{path}{line}: {name}{inspect.signature(hook)} cannot be called as {expected}")
    if not any(name in hooks for name in CALLED):
        names = ", ".join(CALLED)
        raise ScriptError(f"{path}: defines none of {names}, so nothing could reach it")
    return hooks


def where(error: BaseException, path: Path) -> str:
    """`file:line` of the fault: where the syntax breaks, or the innermost line that belongs to the service."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno or 0}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(path.parent)]
    if own:
        return f"{own[-1].filename}:{own[-1].lineno}"
    return str(path)


def summary(error: BaseException) -> str:
    """The exception's last line: `ValueError: no such pump`."""
    try:
        return traceback.format_exception_only(error)[-1].strip()
    except Exception:
        # A service's exception may have a __str__ that raises.
        return type(error).__name__


def format_traceback(error: BaseException) -> str:
    """The traceback from the first line that is not ours: nobody wants to read how the worker called the hook."""
    try:
        return "".join(traceback.format_exception(type(error), error, _behind_us(error.__traceback__)))
    except Exception as second:
        return f"{type(error).__name__} (its traceback cannot be shown: {type(second).__name__})"


def _behind_us(trace: TracebackType | None) -> TracebackType | None:
    here = str(Path(__file__).parent)
    behind = trace
    while behind is not None:
        file = behind.tb_frame.f_code.co_filename
        if not file.startswith((here, "<frozen importlib")) and "concurrent/futures" not in file:
            return behind
        behind = behind.tb_next
    return trace


def _module(path: Path) -> ModuleType:
    name = re.sub(r"\W", "_", path.stem)
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{path}: not a Python file (its name does not end in .py)")
    module = module_from_spec(spec)
    # Before it runs, as the import system does: dataclasses and pickle look their module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _takes(hook: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(hook).bind(*[None] * arguments)
    except TypeError:
        return False
    except ValueError:
        # Functions written in C may not tell their signature.
        return True
    return True
