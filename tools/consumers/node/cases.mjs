// Try the values of a file on a function, and say which it judges wrongly.
import { readFileSync } from "node:fs";

export function json(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

// `accepts(case)` returns whether the tool accepts the value, or undefined if it has no say.
export function tryCases(path, stage, accepts) {
  let tried = 0;
  for (const one of json(path).cases) {
    if (one.media !== "application/json" || (one.flaw !== "") !== (stage === "refuses")) continue;
    const accepted = accepts(one);
    if (accepted === undefined) continue;
    tried += 1;
    if (accepted === (stage === "refuses")) {
      console.log(`wrong: ${one.name}`);
      process.exitCode = 1;
    }
  }
  console.log(`tried ${tried}`);
}
