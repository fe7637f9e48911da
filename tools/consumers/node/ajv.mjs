// Try values on the schemas of a description with ajv in its strict mode.
import addFormats from "ajv-formats";
import Ajv from "ajv";
import Ajv2020 from "ajv/dist/2020.js";
import { json, tryCases } from "./cases.mjs";

const [form, cases, stage] = process.argv.slice(2);
const description = json(form);
const older = description.openapi.startsWith("3.0");
const Class = older ? Ajv.default : Ajv2020.default;
// Types that a union with null allows need no list of types, and `required` no `properties`.
const ajv = new Class({ strict: true, strictRequired: false, allowUnionTypes: true });
addFormats.default(ajv);
// Keywords of OpenAPI, which is a vocabulary of its own.
const extensions = [...JSON.stringify(description).matchAll(/"(x-[\w-]+)":/g)];
const words = ["example", "discriminator", "components", ...extensions.map((found) => found[1])];
for (const word of new Set(words)) {
  if (!ajv.getKeyword(word)) ajv.addKeyword(word);
}
ajv.addSchema({ $id: "description", components: description.components });
const compiled = new Map();
for (const name of Object.keys(description.components.schemas)) {
  compiled.set(name, ajv.compile({ $ref: `description#/components/schemas/${name}` }));
}
if (stage) tryCases(cases, stage, (one) => compiled.get(one.schema)(one.value));
