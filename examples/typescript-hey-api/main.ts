// A visitor's journey: start, send, read, list, close, and look up an unknown conversation.
import assert from "node:assert/strict";
import { client } from "./client/client.gen.js";
import * as api from "./client/index.js";

const baseUrl = process.env["SITEASSIST_BASE_URL"] ?? "http://127.0.0.1:8787/v2";
client.setConfig({ baseUrl });

const body = { apiKey: "sa_pk_1234567890abcdef", saVid: "typescript-hey-api" };
const session = await api.init({ body, throwOnError: true });
console.log(`visitor ${session.data.visitor.id}`);
client.setConfig({ auth: session.data.sessionToken });

const started = await api.startConversation({ body: {}, throwOnError: true });
const path = { conversationId: started.data.id };
console.log(`started ${path.conversationId}`);

const content = "How long does shipping take?";
const { data: answer } = await api.sendMessage({ path, body: { content }, throwOnError: true });
assert(typeof answer !== "string", "no human agent");
const parts = answer.steps.flatMap((step) => step.content);
const text = parts.map((part) => ("text" in part ? part.text : "")).join("");
assert(text);
console.log(`answered ${text}`);

const page = await api.getConversations({ query: { limit: 1 }, throwOnError: true });
assert.equal(page.data.data[0]?.id, path.conversationId);
console.log(`listed ${page.data.data[0].id}`);

const reason = { closeReason: "done" };
const closed = await api.closeConversation({ path, body: reason, throwOnError: true });
assert(closed.data.success);
console.log(`closed ${closed.data.success}`);

const unknown = { conversationId: "00000000-0000-4000-8000-000000000000" };
const missing = await api.getConversation({ path: unknown });
assert.equal(missing.response?.status, 404);
assert.equal(missing.error?.error.code, "CONVERSATION_NOT_FOUND");
console.log(`missing ${missing.error.error.code}`);
