// Check an AsyncAPI document, the first argument, with AsyncAPI's own parser and all its rules.
// Print a line for each diagnostic, down to hints; exit with 1 if there is one. With a second
// argument, print the parsed document as the text that AsyncAPI's page takes.

import { readFileSync } from "node:fs";

import { Parser, stringify } from "@asyncapi/parser";

const [path, parsed] = process.argv.slice(2);
const { diagnostics, document } = await new Parser().parse(readFileSync(path, "utf8"));
for (const { code, message, path } of diagnostics) {
  console.log(`${code}: ${message} (${path.join(".")})`);
}
if (parsed && !diagnostics.length) console.log(stringify(document));
process.exitCode = diagnostics.length ? 1 : 0;
