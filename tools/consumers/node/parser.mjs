// Validate a description with swagger-parser, and follow all of its references.
import SwaggerParser from "@apidevtools/swagger-parser";

const [form] = process.argv.slice(2);
await SwaggerParser.validate(form);
const flat = await SwaggerParser.dereference(form);
if (JSON.stringify(flat.paths).includes('"$ref"')) throw new Error("a reference is left");
