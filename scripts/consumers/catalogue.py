"""The tools that the published forms are for, each with the commands that try it on a form.

The commands contain values in braces: `scripts.consumers.__main__` has the list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OPENAPI_3_1 = "openapi.json"
OPENAPI_3_0 = "openapi-3.0.3.json"
OPENAPI_3_2 = "openapi-3.2.0.json"
FLAT = "openapi.dereferenced.json"
COLLECTION = "siteassist.postman_collection.json"


@dataclass(frozen=True, eq=False)
class Kit:
    """Tools that are installed together, in one folder.

    ``manifest`` pins their versions. ``programs`` maps each required program to the option that
    prints its version. ``folder`` is where the commands run; the repository itself if it is empty.
    ``made`` is a file there that ``set_up`` makes again if ``manifest`` is newer.
    """

    name: str
    manifest: str
    programs: dict[str, str]
    set_up: tuple[str, ...] = ()
    folder: str = ""
    made: str = ""

    def version(self, package: str) -> str:
        """Return the pinned version of a package. Raises `LookupError` if there is none."""
        text = (ROOT / self.manifest).read_text(encoding="utf-8")
        between = r'(?:"\s*:\s*"(?:npm:[^@"]+@)?|==|\s+v|</artifactId>\s*<version>)'
        found = re.search(rf"{re.escape(package)}{between}([\w.]+)", text)
        if found is None:
            raise LookupError(f"{self.manifest} pins no version of {package}")
        return found[1]


@dataclass(frozen=True)
class Flaw:
    """A known fault of a tool.

    ``pattern`` matches each problem that it causes in ``stage``; ``input`` is the smallest input
    that shows it, and ``advice`` is for the users of the tool.
    """

    stage: str
    pattern: str
    input: str
    advice: str


@dataclass(frozen=True)
class Consumer:
    """A tool on a published form, with the commands of each stage.

    ``quick`` has the stages that CI runs each time.
    """

    tool: str
    package: str
    form: str
    kit: Kit
    stages: dict[str, tuple[str, ...]]
    flaws: tuple[Flaw, ...] = ()
    quick: tuple[str, ...] = ()
    label: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The name on the command line, such as ``prism@3.0.3``."""
        versions = {OPENAPI_3_1: "3.1", OPENAPI_3_0: "3.0.3", OPENAPI_3_2: "3.2.0", FLAT: "flat"}
        return f"{self.tool}@{versions.get(self.form, 'postman')}"

    @property
    def version(self) -> str:
        """The pinned version of the tool."""
        return self.kit.version(self.package)


FORMATS = Flaw(
    "refuses",
    r" format\b",
    '{"type": "string", "format": "uri"}',
    "The tool accepts any text where this format is required: check the format yourself.",
)
NEGATION = Flaw(
    "refuses",
    r"(parts|content)/0/text (missing|null|type)",
    '{"anyOf": [{"$ref": "#/…/TextPart"}, {"not": {"properties": {"type": {"const": "text"}}}}]}',
    "The tool ignores `not`, so a text part without a text counts as a part of an unknown type:"
    " check the text yourself.",
)
NULLABLE = Flaw(
    "accepts",
    "None for not nullable|None is not",
    '{"nullable": true, "allOf": [{"type": "string"}]}',
    "By the letter of OpenAPI 3.0, null is not allowed here: give the tool OpenAPI 3.1.",
)
ANYTHING = Flaw(
    "refuses",
    r"/metadata missing",
    '{"required": ["a"], "properties": {"a": {}}}',
    "The tool accepts an object without a required property if that property may have any value:"
    " check for the property yourself.",
)
PRISM_NULLABLE = Flaw(
    "refuses",
    r"^\w+ 20\d: ",
    '{"required": ["a"], "properties": {"b": {"nullable": true}}}',
    "The tool's ajv does not compile a `nullable` without a type; its proxy then does not check the"
    " answer at all, so answers without `a` pass: give the proxy OpenAPI 3.1.",
)

SPECTRAL_NULLABLE = Flaw(
    "reads",
    '"nullable" cannot be used without "type"',
    '{"default": [], "items": {"properties": {"a": {"nullable": true}}}}',
    "The tool's ajv does not compile a `nullable` without a type, and does not accept `null` as a"
    " value of a nullable enum: turn off `oas3-valid-media-example` and"
    " `oas3-valid-schema-example`.",
)

QUICK_LANGUAGES = ("python-pydantic",)
"""The rows of `make languages` that CI tries each time."""

NODE = {"node": "--version", "npm": "--version"}
SHARED = Kit(
    "shared",
    "tools/node/package.json",
    NODE,
    ("npm ci --prefix=tools/node --silent --no-fund --no-audit",),
    made="tools/node/node_modules/.package-lock.json",
)
OTHER_NODE = Kit(
    "node",
    "tools/consumers/node/package.json",
    NODE,
    ("npm ci --silent --no-fund --no-audit --ignore-scripts",),
    "node",
    "node_modules/.package-lock.json",
)
CHROMIUM = replace(OTHER_NODE, name="chromium", programs={**NODE, "chromium": "--version"})
OWN_PYTHON = Kit("own", "pyproject.toml", {"python3": "--version"})
PYTHON = Kit(
    "python",
    "tools/consumers/python/requirements.txt",
    {"python3": "--version"},
    (
        "{python} -m venv tools",
        (
            "tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps"
            " --requirement requirements.txt"
        ),
        "touch tools/.ready",
    ),
    "python",
    "tools/.ready",
)
GO = Kit("go", "tools/consumers/go/go.mod", {"go": "version"}, ("go build ./...",), "go")
JAVA = Kit(
    "java",
    "tools/consumers/java/pom.xml",
    {"java": "-version", "mvn": "--version"},
    (),
    "java",
)

SPECTRAL = "{node}/spectral lint --fail-severity=error --ruleset=tools/node/lint/"
PRISM = "{python} -m scripts.consumers.prism {node}/prism {form} "
TYPES = "{out}/siteassist.ts"
SATISFIES = f"{{python}} {{root}}/scripts/consumers/satisfies.py {{node}}/tsc {TYPES} {{cases}} "
TSC = (
    "{node}/tsc --strict --noEmit --skipLibCheck --target es2022 --module es2022"
    " --moduleResolution bundler --lib es2022,dom,dom.iterable"
)


def _prism(form: str, *, quick: tuple[str, ...] = ()) -> Consumer:
    return Consumer(
        "prism",
        "@stoplight/prism-cli",
        form,
        SHARED,
        {
            "accepts": (f"{PRISM}{{cases}} accepts",),
            "refuses": (f"{PRISM}{{cases}} refuses",),
            "talks": (f"{PRISM}{{node}}/newman {{forms}}/{COLLECTION} {{url}}",),
        },
        (PRISM_NULLABLE,) if form == OPENAPI_3_0 else (),
        quick=quick,
        label="Prism, mock and proxy",
    )


def _linter(tool: str, package: str, form: str, command: str) -> Consumer:
    return Consumer(tool, package, form, SHARED, {"reads": (command,)})


def _typescript(
    tool: str,
    package: str,
    form: str,
    kit: Kit,
    command: str,
    *,
    quick: tuple[str, ...] = (),
    flaws: tuple[Flaw, ...] = (FORMATS, NEGATION),
) -> Consumer:
    return Consumer(
        tool,
        package,
        form,
        kit,
        {
            "generates": (command,),
            "compiles": (f"{TSC} {TYPES}",),
            "accepts": (f"{SATISFIES}accepts",),
            "refuses": (f"{SATISFIES}refuses",),
        },
        quick=quick,
        flaws=flaws,
    )


def _openapi_typescript(form: str, *, quick: tuple[str, ...] = ()) -> Consumer:
    return _typescript(
        "openapi-typescript",
        "openapi-typescript",
        form,
        SHARED,
        "{node}/openapi-typescript {form} --default-non-nullable=false --root-types"
        f" --root-types-no-schema-prefix --root-types-keep-casing --output {TYPES}",
        quick=quick,
    )


def _viewer(tool: str, package: str, form: str, label: str) -> Consumer:
    look = f"{{python}} -m scripts.consumers.pages {tool} {{modules}} {{form}}"
    return Consumer(
        tool, package, form, CHROMIUM, {"reads": (f"env -C {ROOT} {look}",)}, label=label
    )


def _generator(name: str, *compile_commands: str) -> Consumer:
    stages: dict[str, tuple[str, ...]] = {
        "generates": (
            (
                "mvn --batch-mode --no-transfer-progress --quiet generate-sources"
                f" -Dform={{form}} -Dout={{out}} -Dgenerator={name}"
            ),
        )
    }
    if compile_commands:
        stages["compiles"] = compile_commands
    return Consumer(
        f"openapi-generator-{name}",
        "openapi-generator-maven-plugin",
        OPENAPI_3_0,
        JAVA,
        stages,
        label=f"OpenAPI Generator, {name}",
    )


def _values(command: str) -> dict[str, tuple[str, ...]]:
    return {
        "reads": (command,),
        "accepts": (f"{command} {{cases}} accepts",),
        "refuses": (f"{command} {{cases}} refuses",),
    }


CONSUMERS = (
    _prism(OPENAPI_3_1, quick=("refuses",)),
    _prism(OPENAPI_3_0),
    Consumer(
        "newman",
        "newman",
        COLLECTION,
        SHARED,
        {
            "talks": (
                (
                    "{node}/newman run {form} --env-var baseUrl={url} --env-var apiKey={key}"
                    " --env-var deviceId=newman"
                ),
            )
        },
    ),
    *(
        _viewer(tool, package, form, label)
        for tool, package, label in (
            ("swagger-ui", "swagger-ui-dist", "Swagger UI"),
            ("scalar", "@scalar/api-reference", "Scalar"),
        )
        for form in (OPENAPI_3_1, OPENAPI_3_0, OPENAPI_3_2)
    ),
    *(
        _linter(
            "redocly",
            "@redocly/cli",
            form,
            f"{{node}}/redocly lint --config=tools/node/lint/{rules}.yaml {{form}}",
        )
        for form, rules in (
            (OPENAPI_3_1, "redocly-3.1"),
            (OPENAPI_3_0, "redocly-3.0"),
            (OPENAPI_3_2, "redocly-3.2"),
        )
    ),
    _linter(
        "spectral", "@stoplight/spectral-cli", OPENAPI_3_1, f"{SPECTRAL}spectral.yaml {{form}}"
    ),
    Consumer(
        "spectral",
        "@stoplight/spectral-cli",
        OPENAPI_3_0,
        SHARED,
        # Only the first error of a command is judged, so the known ones are left out before.
        {"reads": (f"{SPECTRAL}spectral-3.0.yaml {{form}}", f"{SPECTRAL}spectral.yaml {{form}}")},
        (SPECTRAL_NULLABLE,),
    ),
    *(
        Consumer(
            "swagger-parser",
            "@apidevtools/swagger-parser",
            form,
            OTHER_NODE,
            {"reads": ("node parser.mjs {form}",)},
        )
        for form in (OPENAPI_3_1, OPENAPI_3_0)
    ),
    *(
        Consumer(
            "ajv", "ajv", form, OTHER_NODE, _values("node ajv.mjs {form}"), label="ajv, strict"
        )
        for form in (OPENAPI_3_1, OPENAPI_3_2)
    ),
    _openapi_typescript(OPENAPI_3_1, quick=("generates", "accepts")),
    _openapi_typescript(OPENAPI_3_0),
    _openapi_typescript(OPENAPI_3_2),
    _typescript(
        "orval-fetch",
        "orval",
        OPENAPI_3_0,
        SHARED,
        f"{{node}}/orval --input {{form}} --output {TYPES} --client fetch",
    ),
    Consumer(
        "orval-zod",
        "orval",
        OPENAPI_3_0,
        SHARED,
        {
            "generates": (
                f"{{node}}/orval --input {{form}} --output {TYPES} --client zod",
                "ln -s {root}/tools/node/node_modules {out}/node_modules",
            ),
            "compiles": (
                (
                    f"{{node}}/tsc --strict --skipLibCheck --target es2022 --module es2022"
                    f" --moduleResolution bundler --outDir {{out}} {TYPES}"
                ),
            ),
            "accepts": ("node tools/consumers/node/zod.mjs {out}/siteassist.js {cases} accepts",),
            "refuses": ("node tools/consumers/node/zod.mjs {out}/siteassist.js {cases} refuses",),
        },
        (NEGATION,),
    ),
    *(
        _typescript(
            "swagger-typescript-api",
            "swagger-typescript-api",
            form,
            OTHER_NODE,
            "node_modules/.bin/swagger-typescript-api generate --path {form} --output {out}"
            " --name siteassist.ts --generate-union-enums --silent",
        )
        for form in (OPENAPI_3_1, OPENAPI_3_0)
    ),
    Consumer(
        "openapi-zod-client",
        "openapi-zod-client",
        OPENAPI_3_0,
        OTHER_NODE,
        {
            "generates": (
                (
                    "node_modules/.bin/openapi-zod-client {form} --output {out}/siteassist.ts"
                    " --export-schemas"
                ),
                "ln -s {modules}/openapi-zod-client/node_modules {out}/node_modules",
            ),
            "compiles": (
                (
                    f"{{node}}/tsc --strict --skipLibCheck --target es2022 --module es2022"
                    f" --moduleResolution bundler --outDir {{out}} {TYPES}"
                ),
            ),
            "accepts": ("node zod.mjs {out}/siteassist.js {cases} accepts",),
            "refuses": ("node zod.mjs {out}/siteassist.js {cases} refuses",),
        },
        (NEGATION, ANYTHING),
    ),
    Consumer(
        "openapi-to-postman",
        "openapi-to-postmanv2",
        OPENAPI_3_0,
        OTHER_NODE,
        {
            "generates": ("node postman.mjs {form} {out}/collection.json",),
        },
    ),
    *(
        Consumer(
            "openapi-core",
            "openapi-core",
            form,
            PYTHON,
            {
                "accepts": ("tools/bin/python read_openapi_core.py {form} {cases} accepts",),
                "refuses": ("tools/bin/python read_openapi_core.py {form} {cases} refuses",),
            },
            (FORMATS, *([NULLABLE] if form == OPENAPI_3_0 else [])),
        )
        for form in (OPENAPI_3_1, OPENAPI_3_0)
    ),
    *(
        Consumer(
            "fastmcp",
            "fastmcp",
            form,
            PYTHON,
            {"talks": ("tools/bin/python use_fastmcp.py {form} {cases} {url} {key} {token}",)},
            label="FastMCP, `from_openapi`",
        )
        for form in (OPENAPI_3_1, OPENAPI_3_0)
    ),
    *(
        Consumer(
            "schemathesis",
            "schemathesis",
            form,
            OWN_PYTHON,
            {
                "talks": (
                    (
                        "{bin}/schemathesis run {form} --url {url} --max-examples 2"
                        " --phases examples,coverage,fuzzing {without_sockets}"
                        " --header 'Authorization: Bearer {token}'"
                    ),
                )
            },
            label="schemathesis, bare",
        )
        for form in (OPENAPI_3_1, OPENAPI_3_0, OPENAPI_3_2)
    ),
    Consumer(
        "kin-openapi",
        "github.com/getkin/kin-openapi",
        OPENAPI_3_0,
        GO,
        _values("go run . {form}"),
        (FORMATS,),
    ),
    Consumer(
        "ogen",
        "github.com/ogen-go/ogen",
        OPENAPI_3_0,
        GO,
        {
            "generates": (
                (
                    "bash -c 'set -o pipefail; go tool ogen --target {out} --package siteassist"
                    ' --clean {form} 2>&1 | sed "s/^Feature /wrong: &/"'
                    "'"
                ),
            )
        },
        (
            Flaw(
                "generates",
                '"complex anyOf" is not implemented',
                '{"anyOf": [{"type": "object", …}, {"type": "object", …}]}',
                "Put `generator: {ignore_not_implemented: [all]}` into its configuration (this"
                " leaves out the operations with parts of messages), or use oapi-codegen.",
            ),
        ),
    ),
    _generator("typescript-fetch", f"{TSC} {{out}}/index.ts"),
    _generator("python", "python3 -m compileall -q {out}"),
    *(
        _generator(name)
        for name in (*("java", "go", "kotlin", "csharp", "php", "ruby", "swift6", "dart", "rust"),)
    ),
)
