// The Bedrock provider of the Vercel AI SDK.

import assert from "node:assert/strict";
import { createAmazonBedrock } from "@ai-sdk/amazon-bedrock";
import { generateText, streamText } from "ai";
import { CLAUDE, GATEWAY, GATEWAY_TLS, PROFILE, QUESTION, SEED_KEYS, arrived, check, end, forget, rejected, runtime, seen } from "./common.mjs";

const region = "us-east-1";
const keyed = (baseURL, apiKey) => createAmazonBedrock({ apiKey, baseURL, region });
/** With keys it signs every header that it is given, the gateway's token too. */
const signing = (gateway) =>
  createAmazonBedrock({
    ...SEED_KEYS,
    region,
    baseURL: runtime(GATEWAY, gateway),
    headers: { "cf-aig-authorization": `Bearer ${gateway}-token` },
  });

async function generates(provider, model) {
  await forget();
  const { text, usage, finishReason } = await generateText({ model: provider(model), prompt: QUESTION });
  assert.ok(text.includes(QUESTION), text);
  assert.equal(finishReason, "stop");
  assert.equal(usage.inputTokens, QUESTION.split(" ").length);
  await arrived(`/model/${encodeURIComponent(model)}/converse`);
}

async function streams(provider, model) {
  await forget();
  let failure;
  const result = streamText({ model: provider(model), prompt: QUESTION, onError: ({ error }) => (failure = error) });
  const parts = [];
  for await (const part of result.textStream) parts.push(part);
  assert.equal(failure, undefined, String(failure));
  assert.ok(parts.length > 3, `${parts.length} parts`);
  assert.ok(parts.join("").includes(QUESTION), parts.join(""));
  assert.equal(await result.finishReason, "stop");
  assert.ok((await result.usage).outputTokens > 0);
  await arrived(`/model/${encodeURIComponent(model)}/converse-stream`);
}

async function refused(provider, status, code) {
  await forget();
  const error = await rejected(generateText({ model: provider(CLAUDE), prompt: QUESTION }));
  assert.equal(error.name, "AI_APICallError", `${error.name}: ${error.message}`);
  assert.equal(error.statusCode, status);
  const body = JSON.parse(error.responseBody);
  assert.equal(body.internalCode, code);
  assert.deepEqual(await seen(), []);
  return body.message;
}

for (const [way, base] of [["http", runtime(GATEWAY)], ["TLS", runtime(GATEWAY_TLS)], ["trailing slash", `${runtime(GATEWAY)}/`]]) {
  const provider = keyed(base, "demo-token");
  for (const model of [CLAUDE, PROFILE]) {
    await check(`ai-sdk ${way}: generateText ${model.split("/")[0]}`, () => generates(provider, model));
    await check(`ai-sdk ${way}: streamText ${model.split("/")[0]}`, () => streams(provider, model));
  }
}
await check("ai-sdk keys, ignored: generateText", () => generates(signing("ignore"), CLAUDE));
await check("ai-sdk keys, ignored: streamText", () => streams(signing("ignore"), CLAUDE));
await check("ai-sdk keys, passed through: the signed token is refused by name", async () => {
  assert.match(await refused(signing("bare"), 400, 4003), /cf-aig-authorization/);
});
await check("ai-sdk wrong token", () => refused(keyed(runtime(GATEWAY), "wrong"), 401, 2009));
end();
