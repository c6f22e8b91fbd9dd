// openai-node on the OpenAI-compatible endpoint.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { ANSWER, CLAUDE, GATEWAY, NOVA, QUESTION, check, compat, end, forget, prefixed, recorded, rejected, seen, travelled } from "./common.mjs";

/** A client that keeps its answers' headers. */
function connect(apiKey = "demo-token", more = {}) {
  const headers = [];
  const noting = async (...request) => {
    const answer = await fetch(...request);
    headers.push(answer.headers);
    return answer;
  };
  const client = new OpenAI({ apiKey, baseURL: compat(), fetch: noting, ...more });
  return Object.assign(client, { seen: headers });
}

const ai = connect();
const user = (content) => [{ role: "user", content }];
const fault = (name, family = "us.anthropic.node") => prefixed(`${family}.fault.${name}`);
const inTheLog = (headers, model, operation, more = {}) =>
  recorded(headers.get("cf-aig-log-id"), { model, region: "us-east-1", operation, success: true, status_code: 200, ...more });
const tokens = { tokens_in: 3, tokens_out: 20 };

async function chat(model, id) {
  await forget();
  const { data, response, request_id } = await ai.chat.completions.create({ model, messages: user(QUESTION) }).withResponse();
  assert.equal(data.choices[0].message.content, ANSWER);
  assert.equal(data.choices[0].finish_reason, "stop");
  assert.deepEqual([data.model, data.object, data.usage.total_tokens], [model, "chat.completion", 23]);
  assert.ok(request_id && data.id.startsWith("chatcmpl-"));
  await travelled(id);
  await inTheLog(response.headers, id, "Converse", tokens);
}

async function stream(model) {
  await forget();
  const chunks = [];
  const options = { model: prefixed(model), messages: user(QUESTION), stream: true, stream_options: { include_usage: true } };
  for await (const chunk of await ai.chat.completions.create(options)) chunks.push(chunk);
  assert.equal(new Set(chunks.map(({ id, created, model }) => `${id} ${created} ${model}`)).size, 1);
  const last = chunks.pop();
  assert.deepEqual([last.choices, last.usage.prompt_tokens, last.usage.completion_tokens], [[], 3, 20]);
  assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), ANSWER);
  assert.deepEqual(chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean), ["stop"]);
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  await travelled(model, "converse-stream");
  await inTheLog(ai.seen.at(-1), model, "ConverseStream", tokens);
}

/** The example of Cloudflare's page, with key and base URL changed. */
async function ofThePage() {
  const client = new OpenAI({
    apiKey: "demo-token",
    baseURL: `${GATEWAY}/v1/demo/demo/compat`,
  });
  const response = await client.chat.completions.create({
    model: "aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
    messages: [
      {
        role: "user",
        content: "What is Cloudflare?",
      },
    ],
  });
  assert.equal(response.choices[0].message.content, ANSWER);
}

const place = z.object({ city: z.string() });
const zone = z.object({ zone: z.enum(["CET", "UTC"]) });

/** The helper asks, calls the functions, sends their results and reads the answer. */
async function runTools(model, streamed) {
  await forget();
  const called = [];
  const tool = (name, schema, answer) => ({
    type: "function",
    function: {
      name,
      description: `Tells ${name}`,
      parameters: z.toJSONSchema(schema),
      parse: (text) => schema.parse(JSON.parse(text)),
      function: (input) => (called.push([name, input]), answer),
    },
  });
  const tools = [tool("get_weather", place, "sunny"), tool("get_time", zone, "noon")];
  const messages = user("Use get_weather and get_time in Paris");
  const runner = ai.chat.completions.runTools({ model: prefixed(model), messages, tools, stream: streamed });
  assert.equal(await runner.finalContent(), "The tools say: sunny; noon");
  assert.deepEqual(called, [["get_weather", { city: "Paris" }], ["get_time", { zone: "CET" }]]);
  const operation = streamed ? "converse-stream" : "converse";
  assert.deepEqual((await seen()).map((request) => request.path.split("/").at(-1)), [operation, operation]);
}

const city = z.object({ name: z.string(), population: z.number(), twins: z.array(z.string()), capital: z.boolean() });
const paris = { name: "France", population: 1, twins: ["France"], capital: true };
const which = user("Which is the largest town in France?");

async function parse(model, native) {
  await forget();
  const answer = await ai.chat.completions.parse({
    model: prefixed(model),
    messages: which,
    response_format: zodResponseFormat(city, "city"),
  });
  assert.deepEqual(answer.choices[0].message.parsed, paris);
  assert.deepEqual([answer.choices[0].finish_reason, answer.choices[0].message.tool_calls ?? []], ["stop", []]);
  const body = await travelled(model);
  assert.deepEqual(["outputConfig" in body, "toolConfig" in body], [native, !native]);
}

/** zod gives integers bounds, which Claude's grammar does not know. */
async function parseInteger() {
  const response_format = zodResponseFormat(z.object({ count: z.number().int().positive() }), "count");
  const answer = await ai.chat.completions.parse({ model: prefixed(CLAUDE), messages: which, response_format });
  assert.deepEqual(answer.choices[0].message.parsed, { count: 1 });
}

async function parseStream(model) {
  const deltas = [];
  const runner = ai.chat.completions
    .stream({ model: prefixed(model), messages: which, response_format: zodResponseFormat(city, "city") })
    .on("content.delta", ({ delta }) => deltas.push(delta));
  const final = await runner.finalChatCompletion();
  assert.deepEqual(final.choices[0].message.parsed, paris);
  assert.deepEqual(JSON.parse(deltas.join("")), paris);
}

async function parseTools(model) {
  const answer = await ai.chat.completions.parse({
    model: prefixed(model),
    messages: user("Use get_weather in Paris"),
    tools: [zodFunction({ name: "get_weather", parameters: place })],
    tool_choice: "required",
  });
  assert.deepEqual(answer.choices[0].message.tool_calls.map((call) => call.function.parsed_arguments), [{ city: "Paris" }]);
}

async function refused(kind, status, code, { model = prefixed(CLAUDE), tries = 1, apiKey, ...more } = {}) {
  const client = connect(apiKey);
  const error = await rejected(client.chat.completions.create({ model, messages: user(QUESTION), ...more }));
  assert.ok(error instanceof kind, `${error.name}: ${error.message}`);
  assert.deepEqual([error.status, error.code], [status, code]);
  assert.ok(error.error.message && error.message.includes(error.error.message) && error.type, error.message);
  assert.ok(error.requestID, "no request id");
  assert.equal(client.seen.length, tries);
  return error;
}

async function broken(name) {
  const chunks = [];
  const read = async () => {
    const question = { model: fault(name), messages: user(QUESTION), stream: true };
    for await (const chunk of await ai.chat.completions.create(question)) chunks.push(chunk);
  };
  const error = await rejected(read());
  assert.ok(error instanceof OpenAI.APIError, `${error.name}: ${error.message}`);
  assert.ok(error.error?.message && error.type, `${error.name}: ${error.message}`);
  assert.ok(chunks.length > 0);
  assert.deepEqual(chunks.map((chunk) => chunk.choices[0]?.finish_reason).filter(Boolean), []);
  await recorded(ai.seen.at(-1).get("cf-aig-log-id"), { success: false, status_code: 200 });
}

for (const model of [CLAUDE, NOVA]) {
  await check(`openai-node chat ${model}`, () => chat(prefixed(model), model));
  await check(`openai-node stream ${model}`, () => stream(model));
  await check(`openai-node runTools ${model}`, () => runTools(model, false));
  await check(`openai-node runTools in a stream ${model}`, () => runTools(model, true));
  await check(`openai-node parse ${model}`, () => parse(model, model === CLAUDE));
  await check(`openai-node parse a stream ${model}`, () => parseStream(model));
  await check(`openai-node zodFunction ${model}`, () => parseTools(model));
}
await check("openai-node parse an integer", parseInteger);
await check("openai-node alias gpt-4o-mini", () => chat("gpt-4o-mini", CLAUDE));
await check("openai-node the example of the page", ofThePage);
await check("openai-node models.list()", async () => {
  const names = [];
  for await (const model of ai.models.list()) names.push(model.id);
  assert.ok(names.includes("gpt-4o-mini"), names.join());
});
await check("openai-node wrong token", () => refused(OpenAI.AuthenticationError, 401, "invalid_api_key", { apiKey: "wrong" }));
await check("openai-node a parameter that is not supported", async () => {
  const error = await refused(OpenAI.BadRequestError, 400, "unsupported_value", { n: 2 });
  assert.equal(error.param, "n");
});
await check("openai-node unknown model", () => refused(OpenAI.NotFoundError, 404, "model_not_found", { model: fault("error-404") }));
await check("openai-node no access", () => refused(OpenAI.PermissionDeniedError, 403, "model_access_denied", { model: fault("error-403") }));
await check("openai-node throttled for good", () =>
  refused(OpenAI.RateLimitError, 429, "rate_limit_exceeded", { model: fault("throttle-99"), tries: 3 }));
await check("openai-node throttled for a while", async () => {
  const answer = await ai.chat.completions.create({ model: fault("throttle-2", "us.anthropic.node-waits"), messages: user(QUESTION) });
  assert.equal(answer.choices[0].message.content, ANSWER);
});
await check("openai-node the gateway's keys are refused", () =>
  refused(OpenAI.InternalServerError, 502, "upstream_auth_error", { model: fault("expired") }));
for (const name of ["exception-mid", "cut", "no-message-stop", "bad-crc"]) {
  await check(`openai-node broken stream: ${name}`, () => broken(name));
}
end();
