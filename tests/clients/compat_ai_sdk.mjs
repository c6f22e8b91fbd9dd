// The OpenAI-compatible provider of the Vercel AI SDK.

import assert from "node:assert/strict";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { ANSWER, CLAUDE, NOVA, QUESTION, check, compat, end, forget, prefixed, recorded, rejected, seen, travelled } from "./common.mjs";

const connect = (baseURL, apiKey = "demo-token") =>
  createOpenAICompatible({ name: "bedrock", apiKey, baseURL, includeUsage: true, supportsStructuredOutputs: true });
const provider = connect(compat());

async function generates(from, model, name = prefixed(model)) {
  await forget();
  const { text, usage, finishReason, response } = await generateText({ model: from(name), prompt: QUESTION });
  assert.deepEqual([text, finishReason, usage.inputTokens, usage.outputTokens], [ANSWER, "stop", 3, 20]);
  await travelled(model);
  const wanted = { model, region: "us-east-1", operation: "Converse", tokens_in: 3, tokens_out: 20, success: true };
  await recorded(response.headers["cf-aig-log-id"], wanted);
}

async function streams(model) {
  await forget();
  let failure;
  const result = streamText({ model: provider(prefixed(model)), prompt: QUESTION, onError: ({ error }) => (failure = error) });
  const parts = [];
  for await (const part of result.textStream) parts.push(part);
  assert.equal(failure, undefined, String(failure));
  assert.ok(parts.length > 3, `${parts.length} parts`);
  assert.deepEqual([parts.join(""), await result.finishReason], [ANSWER, "stop"]);
  const usage = await result.usage;
  assert.deepEqual([usage.inputTokens, usage.outputTokens], [3, 20]);
  await travelled(model, "converse-stream");
  const wanted = { model, region: "us-east-1", operation: "ConverseStream", tokens_in: 3, tokens_out: 20, success: true };
  await recorded((await result.response).headers["cf-aig-log-id"], wanted);
}

/** Two calls in one step, the answer to their results in the next. */
async function steps(model, streamed) {
  await forget();
  const called = [];
  const answering = (name, inputSchema, answer) =>
    tool({ description: `Tells ${name}`, inputSchema, execute: async (input) => (called.push([name, input]), answer) });
  const options = {
    model: provider(prefixed(model)),
    prompt: "Use get_weather and get_time in Paris",
    stopWhen: stepCountIs(4),
    tools: {
      get_weather: answering("get_weather", z.object({ city: z.string() }), "sunny"),
      get_time: answering("get_time", z.object({ zone: z.enum(["CET", "UTC"]) }), { hour: 12 }),
    },
  };
  const result = streamed ? streamText(options) : await generateText(options);
  assert.equal(await result.text, 'The tools say: sunny; {"hour":12}');
  const made = (await result.steps).map((step) => [step.finishReason, step.toolCalls.map((call) => call.toolName)]);
  assert.deepEqual(made, [["tool-calls", ["get_weather", "get_time"]], ["stop", []]]);
  assert.deepEqual(new Map(called), new Map([["get_weather", { city: "Paris" }], ["get_time", { zone: "CET" }]]));
  assert.equal((await seen()).length, 2);
}

const city = z.object({ name: z.string(), population: z.number(), twins: z.array(z.string()) });

async function structured(model, native) {
  await forget();
  const { output } = await generateText({
    model: provider(prefixed(model)),
    prompt: "Which is the largest town in France?",
    output: Output.object({ schema: city }),
  });
  assert.deepEqual(output, { name: "France", population: 1, twins: ["France"] });
  const body = await travelled(model);
  assert.deepEqual(["outputConfig" in body, "toolConfig" in body], [native, !native]);
}

async function structuredStream(model) {
  const result = streamText({
    model: provider(prefixed(model)),
    prompt: "Which is the largest town in France?",
    output: Output.object({ schema: city }),
  });
  let last;
  for await (const part of result.partialOutputStream) last = part;
  assert.deepEqual(last, { name: "France", population: 1, twins: ["France"] });
}

async function refused(from, name, status, code) {
  await forget();
  const error = await rejected(generateText({ model: from(name), prompt: QUESTION, maxRetries: 0 }));
  assert.equal(error.name, "AI_APICallError", `${error.name}: ${error.message}`);
  const body = JSON.parse(error.responseBody);
  assert.deepEqual([error.statusCode, body.error.code, error.message], [status, code, body.error.message]);
}

async function broken(name) {
  let failure;
  const model = provider(prefixed(`us.anthropic.ai-sdk.fault.${name}`));
  const result = streamText({ model, prompt: QUESTION, onError: ({ error }) => (failure = error) });
  const kinds = new Map();
  for await (const part of result.fullStream) kinds.set(part.type, part);
  assert.ok(failure, `no error: ${[...kinds.keys()]}`);
  assert.ok(kinds.has("text-delta") && kinds.has("error"), [...kinds.keys()].join());
  assert.notEqual(kinds.get("finish")?.finishReason, "stop");
}

for (const model of [CLAUDE, NOVA]) {
  await check(`ai-sdk compatible generateText ${model}`, () => generates(provider, model));
  await check(`ai-sdk compatible streamText ${model}`, () => streams(model));
  await check(`ai-sdk compatible tools ${model}`, () => steps(model, false));
  await check(`ai-sdk compatible tools in a stream ${model}`, () => steps(model, true));
  await check(`ai-sdk compatible Output.object ${model}`, () => structured(model, model === CLAUDE));
  await check(`ai-sdk compatible Output.object in a stream ${model}`, () => structuredStream(model));
}
await check("ai-sdk compatible trailing slash", () => generates(connect(`${compat()}/`), CLAUDE));
await check("ai-sdk compatible alias gpt-4o", () => generates(provider, NOVA, "gpt-4o"));
await check("ai-sdk compatible wrong token", () => refused(connect(compat(), "wrong"), prefixed(CLAUDE), 401, "invalid_api_key"));
await check("ai-sdk compatible unknown model", () => refused(provider, "gpt-3.5-turbo", 404, "model_not_found"));
await check("ai-sdk compatible throttled", () => refused(provider, prefixed("us.anthropic.ai-sdk.fault.throttle-9"), 429, "rate_limit_exceeded"));
for (const name of ["exception-mid", "cut"]) await check(`ai-sdk compatible broken stream: ${name}`, () => broken(name));
end();
