"""A package for npm with the types of all requests, responses, events and socket messages.

The types are the output of openapi-typescript. The package contains no code, so it works with
any library that sends the requests.
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping

from scripts.publish.node import node_tool
from scripts.publish.packages import ROOT, PublishError
from siteassist_spec import SPEC_PATH, Document, server_url

NAME = "siteassist-types"
_OPTIONS = (
    # Otherwise, a property with a default is required, even in requests.
    "--default-non-nullable=false",
    # Each schema can be imported by its name.
    "--root-types",
    "--root-types-no-schema-prefix",
    "--root-types-keep-casing",
)
_README = """\
# {name}

The TypeScript types of the {title}, version {api}, for TypeScript 5.0 and later. The package \
contains types only: it adds nothing to a program that is compiled.

```sh
npm install --save-dev ./{name}-{version}.tgz
```

Each schema of the description is a type of that name, such as `Conversation`, `StreamPayload` \
(an event of a stream) or `SocketMessage` (a text of a conversation's WebSocket). `operations` and \
`paths` have the parameters, bodies and responses of each operation; libraries such as \
openapi-fetch take `paths`.

```ts
import type {{ Conversation, Error, SocketMessage, operations }} from "{name}";

type Query = NonNullable<operations["getConversations"]["parameters"]["query"]>;

export async function start(token: string): Promise<Conversation> {{
  const response = await fetch("{url}/conversations", {{
    method: "POST",
    headers: {{ Authorization: `Bearer ${{token}}` }},
  }});
  if (!response.ok) throw new TypeError(((await response.json()) as Error).error.message);
  return (await response.json()) as Conversation;
}}

export const newest: Query = {{ limit: 1 }};

export function read(text: string): SocketMessage {{
  return JSON.parse(text) as SocketMessage;
}}
```
"""


def types_package(document: Document, version: str, epoch: int) -> bytes:
    """Return the package as the archive that ``npm pack`` would write; all files get one time.

    Raises `MissingToolError` if openapi-typescript is not installed, and `PublishError` if it
    fails.
    """
    tool = node_tool(ROOT, "openapi-typescript")
    done = subprocess.run(
        [tool, SPEC_PATH, *_OPTIONS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PublishError(f"the types cannot be generated: {done.stderr.strip()}")
    info = document.raw["info"]
    readme = _README.format(
        name=NAME,
        version=version,
        title=info["title"],
        api=info["version"],
        url=server_url(document),
    )
    return _archive(
        {
            "package.json": _manifest(info["title"], version),
            "index.d.ts": done.stdout,
            "README.md": readme,
            "LICENSE": (ROOT / "LICENSE").read_text(encoding="utf-8"),
        },
        epoch,
    )


def _manifest(title: str, version: str) -> str:
    manifest = {
        "name": NAME,
        "version": version,
        "description": f"TypeScript types of the {title}.",
        "license": "MIT",
        "types": "./index.d.ts",
        "exports": {".": {"types": "./index.d.ts"}},
        "files": ["index.d.ts"],
    }
    return json.dumps(manifest, indent=2) + "\n"


def _archive(files: Mapping[str, str], epoch: int) -> bytes:
    packed = io.BytesIO()
    # The header of gzip has a time of its own.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=epoch) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name, text in files.items():
            content = text.encode()
            # npm expects this folder.
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mtime, entry.mode = len(content), epoch, 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
