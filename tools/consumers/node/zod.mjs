// Try values on the schemas of a module that openapi-zod-client or orval has written.
import { pathToFileURL } from "node:url";
import { tryCases } from "./cases.mjs";

const [path, cases, stage] = process.argv.slice(2);
const module = await import(pathToFileURL(path).href);

function schemaOf(one) {
  if (module.schemas) return module.schemas[one.schema];
  const name = one.operation[0].toUpperCase() + one.operation.slice(1);
  // orval names the schemas by their operations.
  if (one.status === 0) return module[`${name}Body`] ?? module[`${one.operation}Body`];
  return module[`${name}${one.status}Response`] ?? module[`${one.operation}${one.status}Response`]
    ?? (one.status < 300 ? module[`${name}Response`] ?? module[`${one.operation}Response`] : undefined);
}

tryCases(cases, stage, (one) => schemaOf(one)?.safeParse(one.value).success);
