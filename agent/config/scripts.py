"""What can be said of a service's script without running it: whether it compiles, and whether a hook is in it. Pure."""

from __future__ import annotations

import ast
import warnings
from typing import Final

from agent.config.javascript import HOOKS

CALLED: Final = ("on_event", "on_input", "on_response", "on_callback", "on_http")
"""A service needs one of these: without, nothing would ever reach it."""


def hooks_in(data: bytes) -> tuple[str, ...]:
    """Return the hooks that a script defines plainly, in their order, for a script that compiles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(data)
    names = {ours.partition("(")[0] for ours in HOOKS.values()}
    return tuple(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in names
    )


def script_fault(data: bytes, name: str) -> tuple[int, str] | None:
    """Return line (0: none) and text of what keeps the script from being used, None where nothing is seen.

    The script is compiled by the running Python, which is the worker's. What only shows when it runs, a missing module
    for instance, is not found; a hook that may come from anywhere (a star import, `setattr`) is not missed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data, name)
            compile(data, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno or 0, f"SyntaxError: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return 0, f"cannot be compiled: {type(error).__name__}: {error}"
    if any(hook.encode() in data for hook in CALLED) or _imports_everything(tree):
        return None
    return 0, f"defines none of {', '.join(CALLED)}, so nothing could reach it"


def _imports_everything(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names) for node in ast.walk(tree)
    )
