import type { Environment } from "../config/interpolate.ts";
import { Failure, failed, systemCode } from "../errors.ts";
import { openDispatcher } from "../stores/dispatcher.ts";
import type { SendOptions } from "./channel.ts";
import { shownTimeout } from "./channel.ts";

export interface WebRequest {
  /** What asks, for messages: `webhook`. */
  readonly what: string;
  /** A secret: of it only the host is ever shown. A name and password in it are sent as such. */
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Only what is fetched follows a redirection, and not further than this. */
const mostRedirections = 5;

/**
 * Asks once, through the proxies that the environment names. The body of the answer is not read: a
 * server that has said 2xx has taken it, and what it says otherwise may repeat our secrets.
 * Throws a Failure for anything but 2xx.
 */
export async function ask(
  request: WebRequest,
  env: Environment,
  options: SendOptions,
): Promise<void> {
  const first = parseUrl(request);
  const where = `${request.what} at ${first.host}`;
  const { timeoutMs } = options;
  const dispatcher = await openDispatcher(env, {
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const undici = await import("../stores/undici.ts");
  try {
    let url = first;
    for (let hop = 0; ; hop += 1) {
      const own = url.origin === first.origin;
      const answer = await undici.request(withoutUser(url), dispatcher, {
        method: request.method,
        headers: { ...request.headers, ...(own ? authorization(first) : {}) },
        body: request.body ?? null,
        signal: options.signal,
      });
      answer.body.on("error", () => {}).destroy();
      const { statusCode: status, headers } = answer;
      if (status >= 200 && status <= 299) return;
      const next =
        request.method === "GET" ? redirection(status, headers["location"], url) : undefined;
      if (next === undefined || hop >= mostRedirections) throw refusal(where, status);
      url = next;
    }
  } catch (error) {
    if (error instanceof Failure && !options.signal.aborted) throw error;
    throw unreachable(where, error, options);
  } finally {
    await dispatcher.destroy();
  }
}

function parseUrl({ what, url }: WebRequest): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed !== undefined && /^https?:$/.test(parsed.protocol)) return parsed;
  // It isn't shown: it may be a secret all the same.
  throw failed(
    `${what}: expected a URL that begins with https:// or http://, found something else`,
  );
}

function withoutUser(url: URL): string {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  bare.hash = "";
  return bare.href;
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === "" && password === "") return {};
  const plain = `${decoded(username)}:${decoded(password)}`;
  return { authorization: `Basic ${Buffer.from(plain, "utf8").toString("base64")}` };
}

/** Text of a URL without its %XX; as it is where these are none. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function redirection(status: number, location: unknown, from: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(status) || typeof location !== "string") return undefined;
  if (!URL.canParse(location, from.href)) return undefined;
  const next = new URL(location, from);
  const safe = next.protocol === "https:" || next.protocol === from.protocol;
  return safe && /^https?:$/.test(next.protocol) ? next : undefined;
}

const hints: readonly (readonly [test: (status: number) => boolean, hint: string])[] = [
  [
    (status) => status >= 300 && status < 400,
    "it redirects elsewhere: write the address it leads to",
  ],
  [(status) => status === 401 || status === 403, "check the password or token in the URL"],
  [
    (status) => status === 404 || status === 410,
    "check the URL: the server knows of no such place",
  ],
  [(status) => status === 407, "the proxy wants a password"],
  [(status) => status === 429, "the server takes no more for now"],
  [(status) => status >= 500, "the server is in trouble"],
];

function refusal(where: string, status: number): Failure {
  const hint = hints.find(([test]) => test(status))?.[1] ?? "check the URL, and the template";
  return failed(`${where}: expected a status of 200 to 299, found ${status}`, { hint });
}

function unreachable(where: string, error: unknown, { signal, timeoutMs }: SendOptions): Failure {
  if (signal.aborted) {
    return failed(
      `${where}: expected an answer within ${shownTimeout(timeoutMs)}, found none so far`,
      { cause: error },
    );
  }
  const code = systemCode(error) ?? "an error";
  const certificate = /CERT|SIGNATURE|ERR_TLS|ERR_SSL/.test(code);
  return failed(`${where}: expected an answer, found ${code}`, {
    hint: certificate
      ? "NODE_EXTRA_CA_CERTS names a file of further certificates to trust"
      : "check the network and the URL",
    cause: error,
  });
}
