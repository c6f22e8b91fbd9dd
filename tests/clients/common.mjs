// What the Node clients share: the addresses, the report, the emulator's memory of what arrived.

import assert from "node:assert/strict";

export const { GATEWAY, GATEWAY_TLS, EMULATOR, CONTROL, ADMIN } = process.env;
export const CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
export const PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6";
export const NOVA = "us.amazon.nova-lite-v1:0";
export const QUESTION = "What is Cloudflare?";
export const SEED_KEYS = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
};
export const LARGE = 40_000_000;

export const runtime = (base, gateway = "demo") => `${base}/v1/demo/${gateway}/aws-bedrock/bedrock-runtime/us-east-1`;

export const compat = (gateway = "demo") => `${GATEWAY}/v1/demo/${gateway}/compat`;
export const prefixed = (model) => `aws-bedrock/${model}`;
/** What the emulator answers to QUESTION. */
export const ANSWER = `You said: "${QUESTION}" This is an emulated answer, so that is all there is to say about it.`;

let failures = 0;

/** Runs one case; one that hangs fails. */
export async function check(name, run, seconds = 30) {
  let timer;
  const tooLong = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${seconds} s`)), seconds * 1000);
  });
  try {
    await Promise.race([run(), tooLong]);
    console.log(`ok ${name}`);
  } catch (error) {
    failures += 1;
    const at = error?.stack?.split("\n").find((line) => line.includes(".mjs:"))?.trim() ?? "";
    const cause = error?.cause ? ` (cause: ${error.cause.message ?? error.cause})` : "";
    console.log(`FAIL ${name}: ${`${error?.name}: ${error?.message}${cause} ${at}`.replace(/\s+/g, " ").slice(0, 500)}`);
  } finally {
    clearTimeout(timer);
  }
}

export const end = () => process.exit(failures > 0 ? 1 : 0);

/** What arrived at the emulator since `forget`. */
export const seen = async () => (await fetch(`${CONTROL}/_requests`)).json();
export const forget = async () => (await fetch(`${CONTROL}/_requests`, { method: "DELETE" })).arrayBuffer();

/** The one request that arrived: at this path, accepted, without a trace of the gateway's token. */
export async function arrived(path) {
  const requests = await seen();
  assert.deepEqual(requests.map((request) => request.path), [path]);
  assert.equal(requests[0].verdict.toLowerCase(), "accepted");
  for (const [name, value] of requests[0].headers) {
    assert.ok(!name.startsWith("cf-") && !value.includes("-token"), `${name} travelled`);
  }
  return { ...requests[0], headers: Object.fromEntries(requests[0].headers) };
}

/** The body of the one request that the OpenAI-compatible endpoint made of the client's. */
export async function travelled(model, operation = "converse") {
  await arrived(`/model/${encodeURIComponent(model)}/${operation}`);
  return (await seen())[0].json;
}

/** The record of one request, which has these fields; it is made when the answer is over. */
export async function recorded(logId, wanted) {
  for (let tries = 0; tries < 50; tries += 1) {
    const answer = await fetch(`http://${ADMIN}/logs/${logId}`);
    const { result } = await answer.json();
    if (answer.ok) {
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, result[name]])), wanted);
      return result;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no record ${logId}`);
}

export async function rejected(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("no error was raised");
}

/** Message ids are random. */
export const withoutIds = (text) => text.replace(/msg_bdrk_\w+/g, "");
