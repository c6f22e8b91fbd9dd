// The AWS SDK for JavaScript, which speaks HTTP/2 by prior knowledge to an http:// endpoint.

import assert from "node:assert/strict";
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
} from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { ThroughGateway, bearer, dummyKeys, region, signing } from "./aws_clients.mjs";
import {
  CLAUDE,
  EMULATOR,
  GATEWAY,
  GATEWAY_TLS,
  LARGE,
  NOVA,
  PROFILE,
  QUESTION,
  SEED_KEYS,
  arrived,
  check,
  end,
  forget,
  rejected,
  runtime,
  seen,
  withoutIds,
} from "./common.mjs";

const messages = [{ role: "user", content: [{ text: QUESTION }] }];
const decoder = new TextDecoder();

function invocation(modelId) {
  const body =
    modelId === NOVA
      ? { messages }
      : {
          messages: [{ role: "user", content: QUESTION }],
          max_tokens: 256,
          anthropic_version: "bedrock-2023-05-31",
        };
  return { modelId, body: JSON.stringify(body), contentType: "application/json" };
}

async function all(events) {
  const list = [];
  for await (const event of events) list.push(event);
  return list;
}

/** By the last segment of the path: sends the operation, answers the text of what came back. */
const operations = {
  async converse(client, modelId) {
    const { output, usage, stopReason } = await client.send(new ConverseCommand({ modelId, messages }));
    return JSON.stringify({ output, usage, stopReason });
  },
  async "converse-stream"(client, modelId) {
    const { stream } = await client.send(new ConverseStreamCommand({ modelId, messages }));
    return JSON.stringify(await all(stream));
  },
  async invoke(client, modelId) {
    const { body } = await client.send(new InvokeModelCommand(invocation(modelId)));
    return decoder.decode(body);
  },
  async "invoke-with-response-stream"(client, modelId) {
    const { body } = await client.send(new InvokeModelWithResponseStreamCommand(invocation(modelId)));
    return (await all(body)).map((event) => decoder.decode(event.chunk.bytes)).join("\n");
  },
};

const direct = new BedrockRuntimeClient({ region, endpoint: EMULATOR, credentials: SEED_KEYS });

async function operation(client, name, model) {
  await forget();
  const answer = await operations[name](client, model);
  const request = await arrived(`/model/${encodeURIComponent(model)}/${name}`);
  assert.ok(answer.length > 100, answer);
  assert.equal(withoutIds(answer), withoutIds(await operations[name](direct, model)));
  return request;
}

/** The right class, the gateway's text, one attempt, nothing upstream. */
async function refused(client, name, status, command = new ConverseCommand({ modelId: CLAUDE, messages })) {
  await forget();
  const error = await rejected(client.send(command));
  assert.equal(error.name, name, `${error.name}: ${error.message}`);
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.equal(error.$metadata.attempts, 1);
  assert.ok(error.message && !/^UnknownError/.test(error.message), error.message);
  assert.deepEqual(await seen(), []);
}

const http1 = () => ({ requestHandler: new NodeHttpHandler({ requestTimeout: 30_000 }) });
const ways = {
  "bearer, h2c": bearer(runtime(GATEWAY), "demo-token"),
  "bearer, TLS": bearer(runtime(GATEWAY_TLS), "demo-token"),
  "bearer, HTTP/1.1": bearer(runtime(GATEWAY), "demo-token", http1()),
  "bearer, trailing slash": bearer(`${runtime(GATEWAY)}/`, "demo-token"),
  "dummy keys, h2c": dummyKeys(runtime(GATEWAY, "ignore"), "ignore-token"),
};
for (const [way, client] of Object.entries(ways)) {
  for (const model of way === "bearer, h2c" ? [CLAUDE, PROFILE, NOVA] : [CLAUDE]) {
    for (const name of Object.keys(operations)) {
      await check(`aws-sdk-js ${way}: ${name} ${model.split("/")[0]}`, () => operation(client, name, model));
    }
  }
}
for (const gateway of ["demo", "bare"]) {
  for (const model of [CLAUDE, PROFILE]) {
    for (const name of Object.keys(operations)) {
      await check(`aws-sdk-js client-signed, h2c, ${gateway}: ${name} ${model.split("/")[0]}`, async () => {
        const { headers, version } = await operation(signing(gateway), name, model);
        assert.match(version, /2/);
        assert.equal(headers.authorization, ThroughGateway.signed);
      });
    }
  }
}
await check("aws-sdk-js client-signed, h2c: a wrong secret gets AWS's own answer", async () => {
  const client = signing("bare", { ...SEED_KEYS, secretAccessKey: "wrong" });
  const error = await rejected(operations.converse(client, CLAUDE));
  assert.equal(error.name, "InvalidSignatureException");
  assert.equal(error.$metadata.httpStatusCode, 403);
});

const gateway = ways["bearer, h2c"];
await check("aws-sdk-js count tokens", async () => {
  const input = { converse: { messages } };
  const { inputTokens } = await gateway.send(new CountTokensCommand({ modelId: CLAUDE, input }));
  assert.equal(inputTokens, QUESTION.split(" ").length);
});
await check("aws-sdk-js throttled once", async () => {
  await forget();
  const { $metadata } = await gateway.send(new ConverseCommand({ modelId: "js.fault.throttle-1", messages }));
  assert.equal($metadata.attempts, 2);
  assert.equal((await seen()).length, 2);
});
for (const [fault, name] of [
  ["error-400", "ValidationException"],
  ["error-424", "ModelErrorException"],
  ["error-500", "InternalServerException"],
]) {
  await check(`aws-sdk-js ${fault}`, async () => {
    const error = await rejected(operations.converse(gateway, `fault.${fault}`));
    assert.equal(error.name, name);
    assert.equal(error.$metadata.attempts, fault === "error-500" ? 3 : 1);
  });
}
await check("aws-sdk-js exception mid-stream", async () => {
  const error = await rejected(operations["converse-stream"](gateway, "fault.exception-mid"));
  assert.equal(error.name, "ModelStreamErrorException");
});
await check("aws-sdk-js exception first", async () => {
  const error = await rejected(operations["converse-stream"](gateway, "fault.exception-first"));
  assert.equal(error.name, "ValidationException");
});
await check("aws-sdk-js cut", () => rejected(operations["converse-stream"](gateway, "fault.cut")));
await check("aws-sdk-js cut, HTTP/1.1", () =>
  rejected(operations["converse-stream"](ways["bearer, HTTP/1.1"], "fault.cut")),
);

const large = new InvokeModelCommand({ modelId: CLAUDE, body: new Uint8Array(LARGE) });
for (const [version, endpoint, more] of [
  ["h2c", runtime(GATEWAY), {}],
  ["TLS", runtime(GATEWAY_TLS), {}],
  ["HTTP/1.1", runtime(GATEWAY), http1()],
]) {
  const [good, wrong] = ["demo-token", "wrong"].map((token) => bearer(endpoint, token, more));
  await check(`aws-sdk-js ${version}: wrong token`, () => refused(wrong, "AccessDeniedException", 401));
  await check(`aws-sdk-js ${version}: 401 on 40 MB`, () => refused(wrong, "AccessDeniedException", 401, large));
  await check(`aws-sdk-js ${version}: 413 on 40 MB`, () => refused(good, "ValidationException", 413, large));
}
end();
