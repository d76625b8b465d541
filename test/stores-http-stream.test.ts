// Content over HTTP: it goes on where it broke off, and never with anything else.
import { test } from "node:test";
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { getEventListeners } from "node:events";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createHash, randomBytes } from "node:crypto";
import { Limiter } from "../lib/stores/limiter.ts";
import { client, get, noFault, serve, type Handler } from "./helpers/httpworld.ts";

const content = randomBytes(300_000);

/** Serves ranges of the content, in pieces cut off after so many bytes. */
function ranges(cut: number): Handler {
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
    const from = Number(range?.[1] ?? 0);
    const left = content.subarray(from);
    response.writeHead(range === null ? 200 : 206, {
      "content-length": left.length,
      ...(range === null
        ? {}
        : { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    response.write(left.subarray(0, cut), () => {
      if (left.length > cut) response.socket?.destroy();
    });
  };
}

function rest(url: string): (received: number) => {
  method: "GET";
  url: string;
  headers: Record<string, string>;
} {
  return (received) => ({
    method: "GET",
    url,
    headers: received === 0 ? {} : { range: `bytes=${received}-` },
  });
}

async function digest(stream: Readable | undefined): Promise<string> {
  assert.ok(stream !== undefined);
  return sha256(await buffer(stream));
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

test("a stream goes on where it broke off", async (t) => {
  const url = await serve(t, ranges(10_000));
  const { http, waits } = client(t);
  const { stream } = await http.stream(rest(url), { fault: noFault });
  assert.equal(await digest(stream), sha256(content));
  // More breaks than retries: each piece that came makes patience whole again.
  assert.ok(waits.length > 10);
});

/** Five of eleven bytes. */
function beginning(response: ServerResponse): void {
  response.writeHead(200, { "content-length": "11" });
  response.write("begin", () => response.socket?.destroy());
}

test("a stream never goes on with another file, nor from the start", async (t) => {
  for (const [status, range] of [
    [200, undefined],
    [206, "bytes 5-9/10"],
  ] as const) {
    const url = await serve(t, (_, response, count) => {
      if (count === 1) return beginning(response);
      response.writeHead(status, range === undefined ? {} : { "content-range": range });
      response.end("other");
    });
    const { http } = client(t);
    const { stream } = await http.stream(rest(url), { fault: noFault });
    await assert.rejects(digest(stream), /expected the rest of a file after byte 5/);
  }
});

test("a stream whose rest is refused ends in the error that the caller makes", async (t) => {
  const url = await serve(t, (_, response, count) => {
    if (count === 1) beginning(response);
    else response.writeHead(404).end("gone");
  });
  const { http } = client(t);
  const { stream } = await http.stream(rest(url), {
    fault: ({ body }) => new Error(`it is ${body.toString()}`),
  });
  await assert.rejects(digest(stream), /it is gone/);
});

test("a stream that is left alone gives back its connection", async (t) => {
  let closed: (() => void) | undefined;
  const wasClosed = new Promise<void>((resolve) => (closed = resolve));
  const url = await serve(t, (_, response) => {
    response.on("close", () => closed?.());
    response.writeHead(200, { "content-length": "1000" }).write("a little");
  });
  const { http } = client(t);
  const { stream } = await http.stream(rest(url), { fault: noFault });
  stream?.on("error", () => {});
  for await (const _ of stream ?? []) break;
  await wasClosed;
});

test("work leaves nothing behind on a signal that outlives it", async (t) => {
  const url = await serve(t, (request, response) => {
    response.writeHead(request.url === "/no" ? 404 : 200).end("body");
  });
  const { http } = client(t);
  const long = new AbortController();
  const { signal } = long;
  for (const path of ["/", "/no"]) {
    const { stream } = await http.stream(rest(`${url}${path}`), { signal, fault: noFault });
    if (stream !== undefined) await buffer(stream);
    await http.request(get(`${url}${path}`), { signal });
  }
  await new Limiter(2).map([1, 2, 3], async () => {}, signal);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(getEventListeners(signal, "abort").length, 0);
});
