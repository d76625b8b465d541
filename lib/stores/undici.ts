/*
 * What is used of undici. The whole of it, with its caches, mocks and the web's APIs, takes twice as long to
 * load and 9 MB more, which is much beside what a restore needs. Its version is exact, since these paths
 * are nobody's promise.
 */
import type { Dispatcher } from "undici";
import api from "undici/lib/api/index.js";
import Base from "undici/lib/dispatcher/dispatcher.js";

export { default as EnvHttpProxyAgent } from "undici/lib/dispatcher/env-http-proxy-agent.js";
export { default as Pool } from "undici/lib/dispatcher/pool.js";

// As undici itself does: request, connect and the like are methods of every dispatcher.
Object.assign(Base.prototype, api);

/** A request through a dispatcher, by its whole URL. */
export async function request(
  url: string,
  dispatcher: Dispatcher,
  options: Omit<Dispatcher.RequestOptions, "origin" | "path">,
): Promise<Dispatcher.ResponseData> {
  const { origin, pathname, search } = new URL(url);
  return dispatcher.request({ ...options, origin, path: pathname + search });
}
