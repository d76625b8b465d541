import type { Dispatcher } from "undici";
import { usage } from "../errors.ts";
import type { StoreWorld } from "./world.ts";

interface Timeouts {
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
}

const connectTimeout = 30_000;

/**
 * Connections to servers, through the proxies that the environment names, with the rules that rclone
 * has: this machine is never asked through a proxy. Throws a usage failure for a proxy that is no
 * address.
 */
export async function openDispatcher(
  env: StoreWorld["env"],
  timeouts: Timeouts,
): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = await import("./undici.ts");
  const either = (name: string): string => env[name] || env[name.toLowerCase()] || "";
  const noProxy = either("NO_PROXY");
  return new EnvHttpProxyAgent({
    ...timeouts,
    connect: { timeout: connectTimeout },
    httpProxy: proxy("HTTP_PROXY", either("HTTP_PROXY")),
    httpsProxy: proxy("HTTPS_PROXY", either("HTTPS_PROXY")),
    noProxy: noProxy === "*" ? noProxy : `${noProxy},localhost,127.0.0.1,[::1]`,
  });
}

/** The proxy as a URL; it may be written without a scheme. It is never shown: it may hold a password. */
function proxy(variable: string, value: string): string {
  if (value === "") return "";
  const url = value.includes("://") ? value : `http://${value}`;
  if (!URL.canParse(url))
    throw usage(`${variable}: expected the address of a proxy, found something else`, {
      hint: "write it as http://HOST:PORT",
    });
  return url;
}
