// Servers that answer as a test says, and a client of the stores that waits for nothing.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Server } from "node:net";
import type { TestContext } from "node:test";
import type { Http, HttpOptions } from "../../lib/stores/http.ts";
import { openHttp } from "../../lib/stores/httpclient.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

export function portOf(server: Server): number {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

/** Listens on a free port of this machine until the test ends. */
export async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return portOf(server);
}

/** Answers every request by the handler, which gets their count; returns the URL. */
export async function serve(t: TestContext, handler: Handler): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => {
    count += 1;
    handler(request, response, count);
  });
  t.after(() => server.closeAllConnections());
  return `http://127.0.0.1:${await listening(t, server)}`;
}

interface Client {
  readonly http: Http;
  /** Milliseconds that were waited for, in order. */
  readonly waits: number[];
}

/** A client of which waits are only written down. */
export function client(t: TestContext, options: Partial<HttpOptions> = {}, env = {}): Client {
  const waits: number[] = [];
  const http = openHttp({
    server: "the test server",
    world: {
      env,
      now: () => new Date("2026-01-01T00:00:00Z"),
      random: () => 0.5,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted();
        waits.push(ms);
      },
    },
    ...options,
  });
  t.after(() => http.close());
  return { http, waits };
}

export const get = (url: string) => (): { method: "GET"; url: string } => ({ method: "GET", url });
export const noFault = (): Error => new Error("no fault was expected");
