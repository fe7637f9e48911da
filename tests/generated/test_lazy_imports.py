"""The package imports lazily, so that a program starts fast."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import siteassist
import siteassist.models
from tests.commands import run

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
    """Run a program in a new process, and return the modules that it has imported."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("SITEASSIST_")
    }
    done = run(
        [
            *(sys.executable, "-W", "error", "-c"),
            f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))",
        ],
        env=environment,
    )
    assert "" == done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def models(found: set[str]) -> set[str]:
    """Return the names of the models' modules."""
    return {
        name.removeprefix("siteassist.models.")
        for name in found
        if name.startswith("siteassist.models.")
    }


def test_import_loads_the_package_only() -> None:
    """Importing the package loads no library, no model and no runtime."""
    found = modules("import siteassist")
    ours = {name for name in found if name.partition(".")[0].startswith("siteassist")}
    assert {"siteassist"} == ours
    assert set() == {"httpx", "httpcore", "attr", "attrs", "anyio", "asyncio", "ssl"} & found


def test_errors_load_no_client() -> None:
    """A program that only catches errors does not load httpx."""
    found = modules("from siteassist import NotFoundError, StreamError")
    assert set() == {"httpx", "attr", "attrs", "siteassist.client"} & found


def test_client_loads_no_model() -> None:
    """A client loads neither attrs nor the modules of async clients, streams and other calls."""
    found = modules('from siteassist import SiteAssist\nSiteAssist(token="x")')
    assert "httpx" in found
    assert set() == models(found)
    unused = {"attr", "attrs", "siteassist_runtime.async_driver"}
    unused |= {"orjson", "websockets", "siteassist_runtime.live"}
    assert set() == unused & found
    assert set() == {name for name in found if name.startswith("siteassist.api")}


def test_async_client_loads_no_model() -> None:
    """An async client loads neither attrs nor the event classes."""
    found = modules('from siteassist import AsyncSiteAssist\nAsyncSiteAssist(token="x")')
    assert "siteassist_runtime.async_driver" in found
    assert set() == models(found)
    assert set() == {"attr", "attrs", "orjson", "websockets", "siteassist_runtime.live"} & found


def test_call_loads_the_models_of_its_response() -> None:
    """A call loads the model that it returns and the models of its fields."""
    found = modules(
        f"{TRANSPORT}\nfrom siteassist import SiteAssist\n"
        'SiteAssist(token="x", transport=transport).get_me()'
    )
    assert {"visitor", "visitor_type"} == models(found)


def test_model_loads_its_fields_only() -> None:
    """A model loads the models of its fields and no others."""
    found = modules("from siteassist.models import Visitor\nfrom siteassist import Unset")
    assert {"visitor", "visitor_type"} == models(found)
    assert set() == {"httpx", "siteassist.client"} & found


def test_model_is_loaded_as_an_attribute() -> None:
    """Accessing a model on its package loads this model only."""
    found = modules("import siteassist.models\nassert siteassist.models.Conversation.from_dict")
    assert "conversation" in models(found)
    assert "search_result" not in models(found)


def test_star_imports_everything() -> None:
    """A star import defines every exported name."""
    program = (
        "import siteassist\nfrom siteassist import *\n"
        "missing = [name for name in siteassist.__all__ if name not in globals()]\n"
        "assert not missing, missing\n"
        "from siteassist.models import *\n"
        "missing = [name for name in siteassist.models.__all__ if name not in globals()]\n"
        "assert not missing, missing\n"
    )
    assert {"siteassist.client", "siteassist.models.conversation"} <= modules(program)


@pytest.mark.parametrize("package", [siteassist, siteassist.models])
def test_exported_names_are_attributes(package: ModuleType) -> None:
    """Each exported name is unique, listed by `dir`, and always the same object."""
    names = package.__all__
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(package, name)
        assert value is getattr(package, name)
        assert value is vars(package)[name]
    assert set(names) <= set(dir(package))
    assert sorted(dir(package)) == dir(package)


def test_dir_loads_nothing() -> None:
    """`dir` lists names, for an editor's completion, without importing them."""
    found = modules(
        'import siteassist\nassert {"SiteAssist", "NotFoundError", "UNSET"} <= set(dir(siteassist))'
    )
    assert "httpx" not in found


@pytest.mark.parametrize("name", ["siteassist", "siteassist.models"])
def test_unknown_name_is_an_attribute_error(name: str) -> None:
    """The message is Python's own, and `hasattr` and `from … import` work as usual."""
    package = importlib.import_module(name)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'Nothing'"):
        package.Nothing  # noqa: B018  # the access raises
    assert not hasattr(package, "Nothing")
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec(f"from {name} import Nothing")


@pytest.mark.parametrize("package", [siteassist, siteassist.models])
def test_type_checkers_see_every_export(package: ModuleType) -> None:
    """The imports for type checkers name every export, from the module that defines it."""
    where: dict[str, str] = package._MODULES
    assert set(package.__all__) == set(where)
    text = Path(inspect.getfile(package)).read_text(encoding="utf-8")
    checked = text.partition("if TYPE_CHECKING:")[2].partition("_MODULES")[0]
    for name, module in where.items():
        assert f"from {module} import" in checked
        assert name in re.findall(r"\w+", checked)
