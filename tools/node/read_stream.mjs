// Read an event stream on standard input with AI SDK's own transport and reader, in the version
// that the first argument names, such as `ai7`. Print the chunks and the message as JSON. With the
// argument `--chunks`, the chunks need not make up a message.

import { text } from "node:stream/consumers";

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
const chunks = [];
const noted = stream.pipeThrough(
  new TransformStream({
    transform(chunk, controller) {
      chunks.push(chunk);
      controller.enqueue(chunk);
    },
  }),
);
let message;
const fail = (error) => {
  console.error(String(error));
  process.exit(1);
};
const states = process.argv.includes("--chunks")
  ? noted
  : readUIMessageStream({ stream: noted, terminateOnError: true, onError: fail });
for await (const state of states) {
  message = state;
}
console.log(JSON.stringify({ chunks, message }));
