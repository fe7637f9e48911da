"""Fetch Redoc, which renders the API reference, anew from the package registry of npm.

Without an argument it is the version that is pinned in ``redoc.json``, and what
comes must be what is pinned there; with one, such as ``2.5.4``, it is that
version, and the pin is renewed. Needs ``npm``.

Two things of the bundle are changed, since a page must be complete in itself: it
loads the picture of its maker's logo from the web, and names source maps that are
not there.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "src" / "siteassist_spec" / "reference" / "vendor"
PIN = VENDOR / "redoc.json"
# What is changed in the bundle, to what, and how often it is there.
CHANGES = (
    # A picture that cannot be shown: Redoc leaves it out then.
    (rb'"https://cdn\.redoc\.ly/redoc/logo-mini\.svg"', b'"data:,"', 1),
    # Of the bundle, and of the worker that is in it.
    (rb"//# sourceMappingURL=[\w.]+\.map", b"", 2),
)
BUNDLE = "redoc.standalone.js"
# By our names: how each is called in the package. The name of one has a hash.
FILES = {
    BUNDLE: r"package/bundles/redoc\.standalone\.js",
    f"{BUNDLE}.LICENSE.txt": r"package/bundles/redoc\.standalone\.js\.LICENSE\.txt",
    "worker.js.LICENSE.txt": r"package/bundles/\w+\.worker\.js\.LICENSE\.txt",
    "LICENSE": r"package/LICENSE",
}


def fetch(version: str) -> bytes:
    """Return the package as the registry has it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"redoc@{version}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (package,) = Path(folder).iterdir()
        return package.read_bytes()


def unpack(package: bytes) -> dict[str, bytes]:
    """Return the files that we keep, by our names."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        for name, pattern in FILES.items():
            members = [one for one in archive.getmembers() if re.fullmatch(pattern, one.name)]
            if len(members) != 1:
                raise SystemExit(f"{name} is not there once: look at the new version")
            file = archive.extractfile(members[0])
            found[name] = b"" if file is None else file.read()
    return found


def complete(bundle: bytes) -> bytes:
    """Return the bundle without what it would load from elsewhere."""
    for pattern, new, times in CHANGES:
        bundle, count = re.subn(pattern, new, bundle)
        if count != times:
            raise SystemExit(f"{pattern!r} is there {count} times: look at the new version")
    return bundle


def main() -> int:
    """Run the command."""
    pin = json.loads(PIN.read_text())
    version = sys.argv[1] if len(sys.argv) > 1 else pin["version"]
    package = fetch(version)
    files = unpack(package)
    files[BUNDLE] = complete(files[BUNDLE])
    digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
    new = {
        "package": "redoc",
        "version": version,
        "integrity": f"sha512-{digest}",
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    if version == pin["version"] and new != pin:
        print(f"redoc {version} is not what {PIN.name} pins", file=sys.stderr)
        return 1
    for name, content in files.items():
        (VENDOR / name).write_bytes(content)
    PIN.write_text(json.dumps(new, indent=2) + "\n")
    print(f"redoc {version}: {len(files)} files, as pinned in {PIN.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
