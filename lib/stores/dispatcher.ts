import type { Dispatcher, Pool } from "undici";
import { systemCode, usage } from "../errors.ts";
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
  const { EnvHttpProxyAgent, Pool } = await import("./undici.ts");
  const either = (name: string): string => env[name] || env[name.toLowerCase()] || "";
  const noProxy = either("NO_PROXY");
  return new EnvHttpProxyAgent({
    ...timeouts,
    connect: { timeout: connectTimeout },
    clientFactory: (origin, options) => tellingHangUps(new Pool(origin, options)),
    httpProxy: proxy("HTTP_PROXY", either("HTTP_PROXY")),
    httpsProxy: proxy("HTTPS_PROXY", either("HTTPS_PROXY")),
    noProxy: noProxy === "*" ? noProxy : `${noProxy},localhost,127.0.0.1,[::1]`,
  });
}

/**
 * When a proxy hangs up instead of answering CONNECT, undici 7.30 tries again for ever, without letting
 * a timer run: for UND_ERR_SOCKET alone it keeps what is queued. By another code it fails.
 */
function tellingHangUps(pool: Pool): Pool {
  const original = pool.connect.bind(pool);
  const connect = async (options: Dispatcher.ConnectOptions): Promise<Dispatcher.ConnectData> => {
    try {
      return await original(options);
    } catch (error) {
      if (systemCode(error) !== "UND_ERR_SOCKET") throw error;
      const told = new Error("the proxy closed the connection", { cause: error });
      throw Object.assign(told, { code: "ECONNRESET" });
    }
  };
  return Object.assign(pool, { connect });
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
