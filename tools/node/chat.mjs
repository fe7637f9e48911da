// Chat with a server as a website does that uses AI SDK: send each message of standard input, a
// JSON array of `{content, headers}`, in a conversation of its own or in the given `conversation`,
// and like the answer by the id that the reader has got. Print what was read as JSON.
//
//     node chat.mjs ai7 http://127.0.0.1:8787/v2 TOKEN

import { json } from "node:stream/consumers";

import { read } from "./reader.mjs";

const [sdk, url, token] = process.argv.slice(2);
const { DefaultChatTransport, readUIMessageStream } = await import(sdk);

async function post(path, body) {
  const reply = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: reply.status, body: await reply.json() };
}

const answers = [];
for (const { content, headers, conversation } of await json(process.stdin)) {
  const id = conversation ?? (await post("/conversations", {})).body.id;
  const transport = new DefaultChatTransport({
    api: `${url}/conversations/${id}/messages`,
    headers: { authorization: `Bearer ${token}`, ...headers },
    prepareSendMessagesRequest: () => ({ body: { content, stream: true } }),
  });
  const messages = [{ id: "1", role: "user", parts: [{ type: "text", text: content }] }];
  const answer = { conversation: id };
  try {
    const stream = await transport.sendMessages({
      trigger: "submit-message",
      chatId: id,
      messages,
    });
    Object.assign(answer, await read(stream, readUIMessageStream));
  } catch (error) {
    answer.errors = [String(error)];
  }
  if (answer.message) {
    answer.liked = await post(`/messages/${answer.message.id}/feedback`, { feedback: "like" });
  }
  answers.push(answer);
}
console.log(JSON.stringify(answers));
