// Convert a description to a Postman collection, whose requests have the values of the examples.
import { readFileSync, writeFileSync } from "node:fs";
import Converter from "openapi-to-postmanv2";

const [form, target] = process.argv.slice(2);
const input = { type: "string", data: readFileSync(form, "utf8") };
const options = { parametersResolution: "Example", folderStrategy: "Tags" };
Converter.convert(input, options, (error, done) => {
  if (error || !done.result) throw new Error(`error: ${error ?? done.reason}`);
  const text = JSON.stringify(done.output[0].data);
  const paths = Object.values(JSON.parse(input.data).paths);
  const operations = paths.flatMap((path) => Object.values(path).filter((one) => one.operationId));
  const requests = text.split('"request":{"name"').length - 1;
  // The requests of the examples are not counted: they are in `originalRequest`.
  if (requests !== operations.length) throw new Error(`error: ${requests} requests`);
  writeFileSync(target, text);
});
