"""Calls at the start of every function of the contract tests, to record it or to fail in it.

Python imports this module at the start of each process that has its folder on PYTHONPATH, the
process of the generated requests included. The modules are changed while they are imported, so
that the code under test needs no part for tests, and runs at its usual speed.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

VARIABLE = "SITEASSIST_INTERNAL_ERRORS"
"""The environment variable with the path of the settings, a JSON file."""

_PACKAGES = {"siteassist_contract", "siteassist_spec"}
_COMMAND = "siteassist_contract"
_GUARD = "siteassist_contract.command:Command.main"
"""The function that reports unexpected errors of the command, in all that it calls."""
_CALL = "_siteassist_entered"
_PROBED = (__file__, str(Path(__file__).parents[3] / "src" / "siteassist_spec" / "output"))
"""The files between a call of click and this one."""
_ERRORS = {
    "AttributeError": AttributeError("injected"),
    "KeyError": KeyError("injected"),
    "RecursionError": RecursionError("injected"),
    "UnicodeEncodeError": UnicodeEncodeError("utf-8", "injected", 0, 1, "injected"),
    "ZeroDivisionError": ZeroDivisionError("injected"),
}


class _Calls(ast.NodeTransformer):
    """Inserts a call with the name of each function at its start."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._names: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._within(node, node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        place = f"{self._module}:{'.'.join([*self._names, node.name])}"
        self._within(node, f"{node.name}.<locals>")
        call = ast.Call(ast.Name(_CALL, ast.Load()), [ast.Constant(place)], [])
        first = 0 if ast.get_docstring(node, clean=False) is None else 1
        line = node.body[0]
        node.body.insert(first, ast.copy_location(ast.Expr(call), line))
        return node

    def _within(self, node: ast.ClassDef | ast.FunctionDef, name: str) -> ast.AST:
        self._names.append(name)
        self.generic_visit(node)
        self._names.pop()
        return node


class _Loader(SourceFileLoader):
    """A loader of modules with these calls."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the changed source, which no cache may keep."""
        path = self.get_filename(fullname)
        tree = _Calls(fullname).visit(ast.parse(self.get_data(path), path))
        code = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        assert isinstance(code, CodeType)
        return code


class _Finder(PathFinder):
    """A finder of the modules whose functions are recorded."""

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a module of ours with `_Loader`, and None for others."""
        if fullname.partition(".")[0] not in _PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def _is_probe() -> bool:
    """Whether click tries what a stream can do: it takes any error for an answer."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PROBED):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__") == "click._compat"


class _Watch:
    """The calls of one process."""

    def __init__(self, process: str, settings: dict[str, Any]) -> None:
        self._process = process
        self._settings = settings
        self._seen: set[tuple[bool, str]] = set()
        # The process of the generated requests has a guard around it from its start.
        self._is_guarded = process != _COMMAND

    def entered(self, place: str) -> None:
        """Record the first call of a function, or fail in it."""
        if (self._is_guarded, place) not in self._seen and not _is_probe():
            self._seen.add((self._is_guarded, place))
            self._first(place)
        self._is_guarded = self._is_guarded or place == _GUARD

    def _first(self, place: str) -> None:
        settings = self._settings
        if "error" not in settings:
            self._write({"process": self._process, "place": place, "guarded": self._is_guarded})
        elif self._is_guarded and [self._process, place] == settings["target"]:
            self._write({"hit": True})
            raise _ERRORS[settings["error"]]

    def _write(self, document: dict[str, Any]) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._settings["record"], flags, 0o600)
        os.write(descriptor, f"{json.dumps(document)}\n".encode())
        os.close(descriptor)


def _module() -> str:
    """Return the module that ``python -m`` runs; ``sys.argv`` is not yet set."""
    arguments = sys.orig_argv
    return arguments[arguments.index("-m") + 1] if "-m" in arguments else ""


if VARIABLE in os.environ:
    watch = _Watch(_module(), json.loads(Path(os.environ[VARIABLE]).read_text(encoding="utf-8")))
    setattr(builtins, _CALL, watch.entered)
    sys.meta_path.insert(0, _Finder)
