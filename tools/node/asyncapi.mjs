// Check an AsyncAPI document, the first argument, with AsyncAPI's own parser and all its rules.
// Print a line for each diagnostic, down to hints; exit with 1 if there is one.

import { readFileSync } from "node:fs";

import { Parser } from "@asyncapi/parser";

const { diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { code, message, path } of diagnostics) {
  console.log(`${code}: ${message} (${path.join(".")})`);
}
process.exitCode = diagnostics.length ? 1 : 0;
