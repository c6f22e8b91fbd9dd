// aws4fetch: the example of Cloudflare's page. It signs for the AWS host; the gateway's token is added after signing.

import assert from "node:assert/strict";
import { AwsClient } from "aws4fetch";
import { CLAUDE, GATEWAY, PROFILE, SEED_KEYS, arrived, check, end, forget, runtime, seen } from "./common.mjs";

const HOST = "bedrock-runtime.us-east-1.amazonaws.com";

async function example(gateway, model, operation, keys = SEED_KEYS) {
  await forget();
  const awsClient = new AwsClient({ ...keys, region: "us-east-1", service: "bedrock" });
  const body = JSON.stringify({
    messages: [{ role: "user", content: "What does ethereal mean?" }],
    max_tokens: 256,
    anthropic_version: "bedrock-2023-05-31",
  });
  const presignedRequest = await awsClient.sign(`https://${HOST}/model/${model}/${operation}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: body,
  });
  const headers = new Headers(presignedRequest.headers);
  headers.set("cf-aig-authorization", `Bearer ${gateway}-token`);
  const url = `${runtime(GATEWAY, gateway)}/model/${model}/${operation}`;
  const response = await fetch(url, { method: "POST", headers, body: body });
  return { response, signed: presignedRequest.headers };
}

async function passesThrough(gateway, model, operation) {
  const { response, signed } = await example(gateway, model, operation);
  const answer = await response.text();
  assert.equal(response.status, 200, answer);
  assert.ok(response.headers.get("cf-aig-log-id"));
  if (operation === "invoke") {
    assert.match(JSON.parse(answer).content[0].text, /What does ethereal mean\?/);
  } else {
    assert.equal(response.headers.get("content-type"), "application/vnd.amazon.eventstream");
  }
  const { headers } = await arrived(`/model/${model}/${operation}`);
  assert.equal(headers.host, HOST);
  assert.equal(headers.authorization, signed.get("authorization"));
  assert.equal(headers["x-amz-date"], signed.get("x-amz-date"));
}

for (const gateway of ["demo", "bare"]) {
  await check(`aws4fetch ${gateway}: the example of the page`, () => passesThrough(gateway, CLAUDE, "invoke"));
}
await check("aws4fetch: model id encoded", () => passesThrough("bare", CLAUDE.replace(":", "%3A"), "invoke"));
await check("aws4fetch: ARN", () => passesThrough("bare", encodeURIComponent(PROFILE), "invoke"));
await check("aws4fetch: streaming", () => passesThrough("bare", CLAUDE, "invoke-with-response-stream"));
await check("aws4fetch: a wrong secret gets AWS's own answer", async () => {
  const { response } = await example("bare", CLAUDE, "invoke", { ...SEED_KEYS, secretAccessKey: "wrong" });
  assert.equal(response.status, 403);
  assert.match(response.headers.get("x-amzn-errortype"), /^InvalidSignatureException/);
  assert.match(await response.text(), /signature we calculated does not match/);
});
await check("aws4fetch: ignored where the gateway signs", async () => {
  const { response, signed } = await example("ignore", CLAUDE, "invoke", { ...SEED_KEYS, secretAccessKey: "wrong" });
  assert.equal(response.status, 200, await response.text());
  const { headers } = await arrived(`/model/${CLAUDE}/invoke`);
  assert.notEqual(headers.authorization, signed.get("authorization"));
});
await check("aws4fetch: a signed gateway header is refused by name", async () => {
  await forget();
  const awsClient = new AwsClient({ ...SEED_KEYS, region: "us-east-1", service: "bedrock" });
  const signed = await awsClient.sign(`https://${HOST}/model/${CLAUDE}/invoke`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "cf-aig-authorization": "Bearer demo-token" },
    body: "{}",
  });
  const url = `${runtime(GATEWAY)}/model/${CLAUDE}/invoke`;
  const response = await fetch(url, { method: "POST", headers: signed.headers, body: "{}" });
  const answer = await response.json();
  assert.equal(response.status, 400);
  assert.equal(answer.internalCode, 4003);
  assert.match(answer.message, /cf-aig-authorization/);
  assert.deepEqual(await seen(), []);
});
end();
