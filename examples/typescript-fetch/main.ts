// A visitor's journey: start, send, read, list, close, and look up an unknown conversation.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./client/siteassist.js";

const baseUrl = process.env["SITEASSIST_BASE_URL"] ?? "http://127.0.0.1:8787/v2";
const api = createClient<paths>({ baseUrl });

function must<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const body = { apiKey: "sa_pk_1234567890abcdef", saVid: "typescript-fetch" };
const { sessionToken, visitor } = must(await api.POST("/identity/init", { body }));
console.log(`visitor ${visitor.id}`);
api.use({
  onRequest: ({ request }) => request.headers.set("Authorization", `Bearer ${sessionToken}`),
});

const { id: conversationId } = must(await api.POST("/conversations", { body: {} }));
const params = { path: { conversationId } };
console.log(`started ${conversationId}`);

const sent = await api.POST("/conversations/{conversationId}/messages", {
  params,
  body: { content: "How long does shipping take?" },
});
const answer = must(sent);
assert(typeof answer !== "string" && "steps" in answer, "neither 202 nor an event stream");
const parts = answer.steps.flatMap((step) => step.content);
const text = parts.map((part) => ("text" in part ? part.text : "")).join("");
assert(text);
console.log(`answered ${text}`);

const page = must(await api.GET("/conversations", { params: { query: { limit: 1 } } }));
assert.equal(page.data[0]?.id, conversationId);
console.log(`listed ${page.data[0].id}`);

const closed = await api.POST("/conversations/{conversationId}/close", {
  params,
  body: { closeReason: "done" },
});
assert(must(closed).success);
console.log(`closed ${must(closed).success}`);

const unknown = { path: { conversationId: "00000000-0000-4000-8000-000000000000" } };
const missing = await api.GET("/conversations/{conversationId}", { params: unknown });
assert.equal(missing.response.status, 404);
assert.equal(missing.error?.error.code, "CONVERSATION_NOT_FOUND");
console.log(`missing ${missing.error.error.code}`);
