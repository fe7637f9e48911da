// Read an event stream on standard input with AI SDK's own transport and reader, in the version
// that the first argument names, such as `ai7`. Print the chunks and the message as JSON. With the
// argument `--chunks`, the chunks need not make up a message.

import { text } from "node:stream/consumers";

import { read } from "./reader.mjs";

const { DefaultChatTransport, readUIMessageStream } = await import(process.argv[2]);
const body = await text(process.stdin);
const transport = new DefaultChatTransport({
  fetch: async () => new Response(body, { headers: { "content-type": "text/event-stream" } }),
});
const stream = await transport.sendMessages({
  trigger: "submit-message",
  chatId: "1",
  messages: [{ id: "1", role: "user", parts: [{ type: "text", text: "?" }] }],
});
const found = await read(stream, process.argv.includes("--chunks") ? null : readUIMessageStream);
console.log(JSON.stringify(found));
if (found.errors.length) {
  console.error(found.errors.join("\n"));
  process.exitCode = 1;
}
