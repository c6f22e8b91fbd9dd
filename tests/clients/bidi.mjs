// InvokeModelWithBidirectionalStream with the AWS SDK for JavaScript, which says in the head of a stream that its messages
// are signed (`x-amz-content-sha256`) and signs `:authority`.

import assert from "node:assert/strict";
import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { ThroughGateway, bearer, dummyKeys, region, signing } from "./aws_clients.mjs";
import { EMULATOR, GATEWAY, GATEWAY_TLS, SEED_KEYS, check, end, forget, rejected, runtime, seen } from "./common.mjs";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const TURNS = 20;

/** A stream that is written by `send` and ended by `close`. */
function pipe() {
  const waiting = [];
  let wake = () => {};
  const send = (item) => {
    waiting.push(item);
    wake();
  };
  async function* body() {
    for (;;) {
      while (waiting.length === 0) await new Promise((resolve) => (wake = resolve));
      const item = waiting.shift();
      if (item === null) return;
      yield { chunk: { bytes: encoder.encode(item) } };
    }
  }
  return { body: body(), send, close: () => send(null) };
}

/** The SDK sends no head before it has the first message, and gives no answer before it has the first of that. */
async function open(client, modelId, ...first) {
  const { body, send, close } = pipe();
  first.forEach(send);
  const answer = await client.send(new InvokeModelWithBidirectionalStreamCommand({ modelId, body }));
  const events = answer.body[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await events.next();
    return done ? undefined : decoder.decode(value.chunk.bytes);
  };
  return { send, close, next };
}

async function pingPong(client) {
  await forget();
  const talk = await open(client, "example.echo", "turn 0");
  for (let turn = 0; turn < TURNS; turn += 1) {
    if (turn > 0) talk.send(`turn ${turn}`);
    assert.equal(await talk.next(), `turn ${turn}`);
  }
  talk.close();
  assert.equal(await talk.next(), undefined);
  const [request, ...others] = await seen();
  assert.deepEqual(others, []);
  assert.match(request.version, /2/);
  assert.equal(request.messages, TURNS);
  return request;
}

async function sonic(client) {
  const written = (name, members) => JSON.stringify({ event: { [name]: members } });
  const named = { promptName: "p", contentName: "c" };
  const talk = await open(
    client,
    "amazon.nova-2-sonic-v1:0",
    written("sessionStart", { inferenceConfiguration: { maxTokens: 1024 } }),
    written("promptStart", { promptName: "p" }),
    written("contentStart", { ...named, type: "TEXT", role: "USER" }),
    written("textInput", { ...named, content: "hello there" }),
    written("contentEnd", named),
  );
  let said = "";
  for (;;) {
    const { event } = JSON.parse(await talk.next());
    said += event.textOutput?.content ?? "";
    if (event.completionEnd) break;
  }
  assert.equal(said, 'You said: "hello there"');
  talk.send(written("promptEnd", { promptName: "p" }));
  talk.send(written("sessionEnd", {}));
  talk.close();
  assert.equal(await talk.next(), undefined);
}

/** Whatever stands in the head, the SDK wants keys for the messages, and signs them as if there were no head. */
const tokenAndKeys = (endpoint, token) =>
  bearer(endpoint, token, { credentials: { accessKeyId: "AKIADUMMY", secretAccessKey: "dummy" } });

const ways = {
  direct: new BedrockRuntimeClient({ region, endpoint: EMULATOR, credentials: SEED_KEYS }),
  "bearer, h2c": tokenAndKeys(runtime(GATEWAY), "demo-token"),
  "bearer, TLS": tokenAndKeys(runtime(GATEWAY_TLS), "demo-token"),
  "dummy keys, h2c": dummyKeys(runtime(GATEWAY, "ignore"), "ignore-token"),
  "client-signed, h2c": signing("bare"),
};
for (const [way, client] of Object.entries(ways)) {
  await check(`aws-sdk-js bidirectional, ${way}: ping-pong`, async () => {
    const { verdict, headers } = await pingPong(client);
    assert.equal(verdict, `Chained(${TURNS})`);
    if (way.startsWith("client-signed")) {
      assert.equal(Object.fromEntries(headers).authorization, ThroughGateway.signed);
    }
  });
  await check(`aws-sdk-js bidirectional, ${way}: Nova Sonic`, () => sonic(client));
  await check(`aws-sdk-js bidirectional, ${way}: exception`, async () => {
    const error = await rejected(open(client, "amazon.nova-2-sonic-v1:0", '{"event":{"promptStart":{}}}'));
    assert.equal(error.name, "ValidationException");
  });
  await check(`aws-sdk-js bidirectional, ${way}: cut`, () => rejected(open(client, "fault.cut", "hello")));
}
await check("aws-sdk-js bidirectional: wrong token", async () => {
  const error = await rejected(open(tokenAndKeys(runtime(GATEWAY), "wrong"), "example.echo", "hello"));
  assert.equal(error.name, "AccessDeniedException");
  assert.equal(error.$metadata.httpStatusCode, 401);
});
end();
