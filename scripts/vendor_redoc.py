"""Fetch Redoc, which renders the API reference, from the npm registry.

Without an argument, fetch the version pinned in ``redoc.json`` and verify that its hashes
match. With an argument such as ``2.5.4``, fetch that version and update the pin. Needs
``npm``.

The bundle is changed in two places, because the reference page must not load anything
from elsewhere: the bundle loads the logo of Redoc's vendor from the web, and refers to
source maps that are not included.
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
# Replacements in the bundle: the pattern, the new text, the expected number of matches.
CHANGES = (
    # An empty image: Redoc omits a logo that cannot be loaded.
    (rb'"https://cdn\.redoc\.ly/redoc/logo-mini\.svg"', b'"data:,"', 1),
    # One for the bundle, and one for the worker embedded in it.
    (rb"//# sourceMappingURL=[\w.]+\.map", b"", 2),
)
BUNDLE = "redoc.standalone.js"
# The names of the vendored files, with a pattern for the path in the package: one of the
# paths contains a hash.
FILES = {
    BUNDLE: r"package/bundles/redoc\.standalone\.js",
    f"{BUNDLE}.LICENSE.txt": r"package/bundles/redoc\.standalone\.js\.LICENSE\.txt",
    "worker.js.LICENSE.txt": r"package/bundles/\w+\.worker\.js\.LICENSE\.txt",
    "LICENSE": r"package/LICENSE",
}


def fetch(version: str) -> bytes:
    """Download the package from the registry and return its bytes."""
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
    """Return the content of the vendored files, by name."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        for name, pattern in FILES.items():
            members = [
                member for member in archive.getmembers() if re.fullmatch(pattern, member.name)
            ]
            if len(members) != 1:
                raise SystemExit(
                    f"{name}: expected one matching file in the package, got {len(members)}: "
                    "adapt FILES to the new version"
                )
            file = archive.extractfile(members[0])
            found[name] = b"" if file is None else file.read()
    return found


def complete(bundle: bytes) -> bytes:
    """Return the bundle without its references to external files."""
    for pattern, new, times in CHANGES:
        bundle, count = re.subn(pattern, new, bundle)
        if count != times:
            raise SystemExit(
                f"{pattern!r}: expected {times} matches in the bundle, got {count}: "
                "adapt CHANGES to the new version"
            )
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
        print(f"redoc {version} does not match the hashes in {PIN.name}", file=sys.stderr)
        return 1
    for name, content in files.items():
        (VENDOR / name).write_bytes(content)
    PIN.write_text(json.dumps(new, indent=2) + "\n")
    print(f"redoc {version}: wrote {len(files)} files and {PIN.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
