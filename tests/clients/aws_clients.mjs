// The ways in which an application of the AWS SDK for JavaScript reaches the gateway.

import assert from "node:assert/strict";
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttp2Handler } from "@smithy/node-http-handler";
import { GATEWAY, SEED_KEYS, runtime } from "./common.mjs";

export const region = "us-east-1";

/** The gateway's token in the place of a Bedrock API key. */
export const bearer = (endpoint, token, more = {}) =>
  new BedrockRuntimeClient({
    region,
    endpoint,
    token: { token },
    authSchemePreference: ["httpBearerAuth"],
    ...more,
  });

/**
 * Keys of the client's own: the SDK signs for the AWS host, `:authority` included; what is signed is then sent to the
 * gateway, with the gateway's token added.
 */
export class ThroughGateway extends NodeHttp2Handler {
  constructor(gateway) {
    super({ requestTimeout: 30_000 });
    this.gateway = gateway;
  }

  handle(request, options) {
    assert.equal(request.headers[":authority"], "bedrock-runtime.us-east-1.amazonaws.com");
    assert.match(request.headers.authorization, /SignedHeaders=:authority;/);
    ThroughGateway.signed = request.headers.authorization;
    const { hostname, port, pathname } = new URL(runtime(GATEWAY, this.gateway));
    request.protocol = "http:";
    request.hostname = hostname;
    request.port = Number(port);
    request.path = pathname + request.path;
    request.headers["cf-aig-authorization"] = `Bearer ${this.gateway}-token`;
    return super.handle(request, options);
  }
}

export const signing = (gateway, credentials = SEED_KEYS) =>
  new BedrockRuntimeClient({ region, credentials, requestHandler: new ThroughGateway(gateway) });

/** Keys that do not matter, signed for the gateway's own address, with the token among the signed headers. */
export function dummyKeys(endpoint, token) {
  const client = new BedrockRuntimeClient({ region, endpoint, credentials: { accessKeyId: "AKIADUMMY", secretAccessKey: "dummy" } });
  client.middlewareStack.add(
    (next) => (args) => {
      args.request.headers["cf-aig-authorization"] = `Bearer ${token}`;
      return next(args);
    },
    { step: "build" },
  );
  return client;
}
