"""Importing takes what is used, and nothing else: a program starts fast."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import siteassist
import siteassist.models

VISITOR = {
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
TRANSPORT = f"""
import httpx
transport = httpx.MockTransport(lambda request: httpx.Response(200, json={VISITOR!r}))
"""


def modules(program: str) -> set[str]:
    """Run a program in a process of its own, and return what it has imported."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SITEASSIST_")
    }
    done = subprocess.run(
        [
            sys.executable,
            *("-W", "error"),
            "-c",
            f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))",
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def models(found: set[str]) -> set[str]:
    """Return the modules with models."""
    return {
        name.removeprefix("siteassist.models.")
        for name in found
        if name.startswith("siteassist.models.")
    }


def test_import_takes_nothing_besides_itself() -> None:
    """Neither httpx nor attrs, no model, nor the runtime."""
    found = modules("import siteassist")
    ours = {name for name in found if name.partition(".")[0].startswith("siteassist")}
    assert {"siteassist"} == ours
    assert set() == {"httpx", "httpcore", "attr", "attrs", "anyio", "asyncio", "ssl"} & found


def test_import_of_the_errors_takes_no_connections() -> None:
    """A program that only catches them waits for nothing."""
    found = modules("from siteassist import NotFoundError, StreamError")
    assert set() == {"httpx", "attr", "attrs", "siteassist.client"} & found


def test_client_takes_no_model() -> None:
    """Nor attrs, which builds them; nor what other kinds of clients and calls take."""
    found = modules('from siteassist import SiteAssist\nSiteAssist(token="x")')
    assert "httpx" in found
    assert set() == models(found)
    unused = {
        "attr",
        "attrs",
        "siteassist_runtime.async_driver",
        "siteassist_runtime.streaming.events",
    }
    assert set() == unused & found
    assert set() == {name for name in found if name.startswith("siteassist.api")}


def test_async_client_takes_no_model() -> None:
    """Likewise."""
    found = modules('from siteassist import AsyncSiteAssist\nAsyncSiteAssist(token="x")')
    assert "siteassist_runtime.async_driver" in found
    assert set() == models(found)
    assert set() == {"attr", "attrs", "siteassist_runtime.streaming.events"} & found


def test_call_takes_the_models_of_its_answer() -> None:
    """And those that they are made of."""
    found = modules(
        f"{TRANSPORT}\nfrom siteassist import SiteAssist\n"
        'SiteAssist(token="x", transport=transport).get_me()'
    )
    assert {"visitor", "visitor_type"} == models(found)


def test_model_takes_what_it_is_made_of() -> None:
    """Not all the others."""
    found = modules("from siteassist.models import Visitor\nfrom siteassist import Unset")
    assert {"visitor", "visitor_type"} == models(found)
    assert set() == {"httpx", "siteassist.client"} & found


def test_models_are_imported_by_name() -> None:
    """As an attribute of the package of models, when it is asked for."""
    found = modules("import siteassist.models\nassert siteassist.models.Conversation.from_dict")
    assert "conversation" in models(found)
    assert "search_result" not in models(found)


def test_star_imports_everything() -> None:
    """All that is exported, and no more."""
    program = (
        "import siteassist\nfrom siteassist import *\n"
        "missing = [name for name in siteassist.__all__ if name not in globals()]\n"
        "assert not missing, missing\n"
        "from siteassist.models import *\n"
        "missing = [name for name in siteassist.models.__all__ if name not in globals()]\n"
        "assert not missing, missing\n"
    )
    assert {"httpx", "siteassist.client", "siteassist.models.conversation"} <= modules(program)


@pytest.mark.parametrize("package", [siteassist, siteassist.models])
def test_exports(package: ModuleType) -> None:
    """Every name once; each can be had, is the same every time, and is found by `dir`."""
    names = package.__all__
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(package, name)
        assert value is getattr(package, name)
        assert value is vars(package)[name]
    assert set(names) <= set(dir(package))
    assert sorted(dir(package)) == dir(package)


def test_dir_names_what_is_not_imported_yet() -> None:
    """An editor completes it, and nothing is imported for that."""
    found = modules(
        'import siteassist\nassert {"SiteAssist", "NotFoundError", "UNSET"} <= set(dir(siteassist))'
    )
    assert "httpx" not in found


@pytest.mark.parametrize("name", ["siteassist", "siteassist.models"])
def test_unknown_name_is_an_attribute_error(name: str) -> None:
    """With Python's own words; `hasattr` and `from … import` do as with every module."""
    package = importlib.import_module(name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'Nothing'"):
        package.Nothing  # noqa: B018  # what raises
    assert not hasattr(package, "Nothing")
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec(f"from {name} import Nothing")


@pytest.mark.parametrize("package", [siteassist, siteassist.models])
def test_type_checkers_see_what_is_exported(package: ModuleType) -> None:
    """The imports for them name the same, from where it really is."""
    where: dict[str, str] = package._MODULES
    assert set(package.__all__) == set(where)
    text = Path(inspect.getfile(package)).read_text(encoding="utf-8")
    checked = text.partition("if TYPE_CHECKING:")[2].partition("_MODULES")[0]
    for name, module in where.items():
        assert f"from {module} import" in checked
        assert name in re.findall(r"\w+", checked)
