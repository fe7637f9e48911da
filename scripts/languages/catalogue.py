"""The supported languages, each with the commands that build its client.

`docs/how-to/languages.md` repeats the commands verbatim; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

DESCRIPTION = "openapi.json"
"""The name of the API description in the folder of a language."""

CLIENT = "client"
"""The name of the folder that the generator writes to."""


@dataclass(frozen=True)
class Language:
    """A language, its generator, and the commands to run in the folder of its example.

    ``name`` is the name of the folder in `examples/`, unless ``example`` names another. ``form``
    is a key of `descriptions.FORMS`, or empty if the generator accepts the description as it is.
    ``programs`` maps each required program to the argument that prints its version.
    ``libraries`` maps each required library to a command that succeeds if it is installed.
    The commands of ``set_up`` fetch the dependencies of the other commands.
    """

    name: str
    title: str
    generator: str
    version: str
    programs: dict[str, str]
    generate: tuple[str, ...]
    compile: tuple[str, ...]
    run: str
    form: str = ""
    example: str = ""
    libraries: dict[str, str] = field(default_factory=dict[str, str])
    set_up: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def folder(self) -> str:
        """The name of the folder in `examples/`."""
        return self.example or self.name

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands, in the order in which they run."""
        return (*self.set_up, *self.generate, *self.compile, self.run)


_PYTHON = Language(
    name="python",
    title="Python",
    generator="openapi-generator",
    version="7.24.0",
    programs={"python3": "--version", "java": "-version", "mvn": "--version"},
    set_up=(
        "python3 -m venv tools",
        (
            "tools/bin/python -m pip install --quiet --disable-pip-version-check"
            " --requirement requirements.txt"
        ),
    ),
    generate=("mvn --batch-mode --no-transfer-progress generate-sources",),
    compile=("tools/bin/python -m compileall -q client",),
    run="env PYTHONPATH=client tools/bin/python main.py",
)

LANGUAGES = (
    Language(
        name="typescript-fetch",
        title="TypeScript",
        generator="openapi-typescript",
        version="7.13.0",
        programs={"node": "--version", "npm": "--version"},
        set_up=("npm ci",),
        generate=(
            # Without `--default-non-nullable=false`, a property with a default is required, even
            # in requests.
            (
                "npx openapi-typescript openapi.json --default-non-nullable=false"
                " --output client/siteassist.d.ts"
            ),
        ),
        compile=("npx tsc",),
        run="node dist/main.js",
    ),
    Language(
        name="typescript-hey-api",
        title="TypeScript",
        generator="@hey-api/openapi-ts",
        version="0.92.2",
        programs={"node": "--version", "npm": "--version"},
        set_up=("npm ci",),
        generate=("npx openapi-ts --input openapi.json --output client --no-log-file",),
        compile=("npx tsc",),
        run="node dist/main.js",
    ),
    Language(
        name="go",
        title="Go",
        generator="oapi-codegen",
        version="2.8.2",
        programs={"go": "version"},
        generate=("go tool oapi-codegen -config oapi-codegen.yaml openapi.json",),
        compile=("go vet ./...", "go build -o journey ."),
        run="./journey",
    ),
    Language(
        name="java",
        title="Java",
        generator="openapi-generator",
        version="7.24.0",
        form="openapi-generator",
        programs={"javac": "-version", "mvn": "--version"},
        generate=("mvn --batch-mode --no-transfer-progress generate-sources",),
        compile=("mvn --batch-mode --no-transfer-progress compile",),
        run="mvn --quiet --batch-mode exec:java",
    ),
    Language(
        name="kotlin",
        title="Kotlin",
        generator="openapi-generator",
        version="7.24.0",
        form="openapi-generator",
        # Maven downloads the Kotlin compiler.
        programs={"java": "-version", "mvn": "--version"},
        generate=("mvn --batch-mode --no-transfer-progress generate-sources",),
        compile=("mvn --batch-mode --no-transfer-progress compile",),
        run="mvn --quiet --batch-mode exec:java",
    ),
    Language(
        name="rust",
        title="Rust",
        generator="progenitor",
        version="0.15.1",
        form="progenitor",
        programs={"cargo": "--version"},
        set_up=("cargo install --locked --root tools cargo-progenitor@0.15.1",),
        generate=(
            (
                "tools/bin/cargo-progenitor progenitor --input openapi.json --output client"
                " --name siteassist --version 0.0.0"
            ),
        ),
        compile=("cargo build --locked",),
        run="target/debug/journey",
        environment={"RUSTFLAGS": "-D warnings"},
    ),
    Language(
        name="ruby",
        title="Ruby",
        generator="openapi-generator",
        version="7.24.0",
        form="openapi-generator",
        programs={"ruby": "--version", "java": "-version", "mvn": "--version"},
        # No command installs it: it may come from RubyGems or from a system package.
        libraries={"typhoeus": "ruby -e 'require %(typhoeus)'"},
        generate=("mvn --batch-mode --no-transfer-progress generate-sources",),
        compile=("ruby -c main.rb", "ruby -I client/lib -e 'require %(siteassist)'"),
        run="ruby -I client/lib main.rb",
    ),
    Language(
        name="php",
        title="PHP",
        generator="openapi-generator",
        version="7.24.0",
        form="openapi-generator",
        programs={"php": "--version", "java": "-version", "mvn": "--version"},
        # No command installs it: it may come from Composer or from a system package.
        libraries={"guzzle": "php -r 'require \"GuzzleHttp/autoload.php\";'"},
        generate=("mvn --batch-mode --no-transfer-progress generate-sources",),
        compile=("php -l main.php", "sh -c 'find client/lib -name \"*.php\" -exec php -l {} +'"),
        run="php main.php",
    ),
    _PYTHON,
    replace(_PYTHON, name="python-3.0", form="openapi-3.0", example="python"),
    replace(
        _PYTHON,
        name="python-pydantic",
        generator="datamodel-code-generator",
        version="0.89.0",
        form="openapi-3.0",
        programs={"python3": "--version"},
        generate=(
            # Without `--strict-nullable` null is allowed wherever a field may be left out.
            (
                "tools/bin/datamodel-codegen --input openapi.json --input-file-type openapi"
                " --output client/models.py --output-model-type pydantic_v2.BaseModel"
                " --target-python-version 3.11 --strict-nullable --use-annotated"
                " --extra-fields allow --enum-field-as-literal one --formatters builtin"
            ),
        ),
        compile=("tools/bin/python read_examples.py",),
        run="tools/bin/python main.py",
    ),
)
