// openai-node: refusals on OpenAI-compatible paths, small and against a 40 MB upload.

import assert from "node:assert/strict";
import OpenAI from "openai";
import { GATEWAY, LARGE, QUESTION, check, end, forget, rejected, seen } from "./common.mjs";

async function refused(apiKey, content, status, path) {
  await forget();
  let sent = 0;
  const client = new OpenAI({
    apiKey,
    baseURL: `${GATEWAY}/v1/demo/demo/${path}`,
    fetch: (...request) => ((sent += 1), fetch(...request)),
  });
  const model = "aws-bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0";
  const error = await rejected(client.chat.completions.create({ model, messages: [{ role: "user", content }] }));
  assert.equal(error.status, status, `${error.name}: ${error.message}`);
  if (path === "compat") {
    assert.deepEqual([error.type, error.code], ["invalid_request_error", "invalid_api_key"]);
    assert.ok(error.error.message && error.message.includes(error.error.message), error.message);
  }
  assert.ok(error.headers.get("cf-aig-log-id"));
  assert.equal(sent, 1);
  assert.deepEqual(await seen(), []);
}

const long = "x".repeat(LARGE);
await check("openai-node wrong token", () => refused("wrong", QUESTION, 401, "compat"));
await check("openai-node 401 on 40 MB", () => refused("wrong", long, 401, "compat"));
await check("openai-node 413 on 40 MB", () => refused("demo-token", long, 413, "aws-bedrock/bedrock-mantle/us-east-1/v1"));
end();
