"""The languages, and the commands by which a client is made in each.

The commands stand in `docs/languages.md` as well, word for word; a test sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DESCRIPTION = "openapi.json"
"""The name of the description, in the form that the generator needs, among a language's files."""

CLIENT = "client"
"""The name of the folder that the generator fills."""


@dataclass(frozen=True)
class Language:
    """A way to a client: a language, its generator, and what to run in the folder of the example.

    ``name`` is that of the folder in `examples/`. ``form`` is a generator that
    `descriptions.FORMS` may know. ``programs`` must be on the machine; each comes with the
    option that makes it tell its version. So must ``libraries``, each with a command that
    succeeds if it is there. ``set_up`` fetches what the rest needs.
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
    libraries: dict[str, str] = field(default_factory=dict[str, str])
    set_up: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def commands(self) -> tuple[str, ...]:
        """All commands, in the order in which they are run."""
        return (*self.set_up, *self.generate, *self.compile, self.run)


LANGUAGES = (
    Language(
        name="typescript-fetch",
        title="TypeScript",
        generator="openapi-typescript",
        version="7.13.0",
        programs={"node": "--version", "npm": "--version"},
        set_up=("npm ci",),
        generate=(
            # Otherwise whatever has a default is taken to be always there, even in requests.
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
        # Maven brings Kotlin's compiler.
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
        # Where it comes from differs: rubygems, or the packages of the system.
        libraries={"typhoeus": "ruby -e 'require %(typhoeus)'"},
        generate=("mvn --batch-mode --no-transfer-progress generate-sources",),
        compile=("ruby -c main.rb", "ruby -I client/lib -e 'require %(siteassist)'"),
        run="ruby -I client/lib main.rb",
    ),
)
