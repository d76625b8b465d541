/*
 * What is used of undici. The whole of it, with its caches, mocks and the web's APIs, takes twice as long to
 * load and 9 MB more, which is much beside what a restore needs. Its version is exact, since these paths
 * are nobody's promise.
 */
import type { Dispatcher } from "undici";
import api from "undici/lib/api/index.js";
import connectHttp1 from "undici/lib/dispatcher/client-h1.js";
import Base from "undici/lib/dispatcher/dispatcher.js";
import { withoutOptimizing } from "../process/wasm.ts";

export { default as EnvHttpProxyAgent } from "undici/lib/dispatcher/env-http-proxy-agent.js";
export { default as Pool } from "undici/lib/dispatcher/pool.js";

// As undici itself does: request, connect and the like are methods of every dispatcher.
Object.assign(Base.prototype, api);

makeParser();

/*
 * undici makes its parser with its first connection, and V8 begins to optimize it as soon as it has some work: one
 * function of it takes 29 MB and half a second. What it does with a listing or a file is quick without.
 * So it is made now, by a connection that has failed already. Should undici make it in another way, nothing is lost.
 */
function makeParser(): void {
  try {
    withoutOptimizing(() => connectHttp1({}, { errored: new Error("only the parser is wanted") }));
  } catch {
    // That error, or one that the first connection will tell.
  }
}

/** A request through a dispatcher, by its whole URL. */
export async function request(
  url: string,
  dispatcher: Dispatcher,
  options: Omit<Dispatcher.RequestOptions, "origin" | "path">,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(url);
  return dispatcher.request({ ...options, origin, path: pathname + search });
}
