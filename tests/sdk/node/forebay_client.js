/*
 * Calls Forebay through the genuine Node SDK, its typed ckafka client.
 *
 * usage: forebay_client.js --endpoint host:port --secret-id ID --secret-key KEY
 *            [--sign-method TC3-HMAC-SHA256|HmacSHA1|HmacSHA256] [--method POST|GET]
 *
 * Reads lines "<Action> <JSON parameters>" until stdin ends and prints one line
 * of JSON for each: {"ok": <response>}, or {"error": {"code", "message",
 * "requestId"}} with what the SDK's exception says. One call at a time.
 */
"use strict";

const readline = require("node:readline");
const { parseArgs } = require("node:util");
const { ckafka } = require("tencentcloud-sdk-nodejs-ckafka");

function makeClient() {
  const text = { type: "string" };
  const { values } = parseArgs({
    options: {
      endpoint: text,
      "secret-id": text,
      "secret-key": text,
      "sign-method": { type: "string", default: "TC3-HMAC-SHA256" },
      method: { type: "string", default: "POST" },
    },
  });
  return new ckafka.v20190819.Client({
    credential: { secretId: values["secret-id"], secretKey: values["secret-key"] },
    region: "ap-guangzhou",
    profile: {
      signMethod: values["sign-method"],
      httpProfile: {
        protocol: "http://",
        endpoint: values.endpoint,
        reqMethod: values.method,
      },
    },
  });
}

async function call(client, action, parameters) {
  try {
    return { ok: await client[action](JSON.parse(parameters)) };
  } catch (error) {
    // The SDK's own exceptions have this method. Anything else is a mistake here.
    if (typeof error.getRequestId !== "function") throw error;
    const { code = null, message, requestId } = error;
    return { error: { code, message, requestId } };
  }
}

async function main() {
  const client = makeClient();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const space = line.indexOf(" ");
    const answer = await call(client, line.slice(0, space), line.slice(space + 1));
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
