import type { Dispatcher } from "undici";
import { Failure, failed, systemCode } from "../errors.ts";
import { openDispatcher } from "./dispatcher.ts";
import type {
  Http,
  HttpAnswer,
  HttpHeaders,
  HttpOptions,
  HttpRequest,
  HttpStream,
  RequestOptions,
  StreamOptions,
} from "./http.ts";
import { chunks, continues, readable, resumed, type Opened } from "./resumed.ts";
import { Stopper } from "./stopper.ts";
import { backOff, maxRetries, retryAfter, transientError, transientStatus } from "./retry.ts";

/** Waiting longer than this (milliseconds) because a server says so is left to the user. */
const patience = 300_000;

/** A client for one server. Nothing is loaded or connected before the first request. */
export function openHttp(options: HttpOptions): Http {
  return new Client(options);
}

class Client implements Http {
  readonly #options: HttpOptions;
  #dispatcher: Promise<Dispatcher> | undefined;
  #serverDate: Date | undefined;
  #answered = false;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  get serverDate(): Date | undefined {
    return this.#serverDate;
  }

  async close(): Promise<void> {
    const opened = this.#dispatcher;
    this.#dispatcher = undefined;
    // One that never opened was told of by the request that wanted it.
    const dispatcher = await opened?.catch(() => undefined);
    await dispatcher?.destroy();
  }

  async request(
    make: () => HttpRequest | Promise<HttpRequest>,
    options: RequestOptions = {},
  ): Promise<HttpAnswer> {
    return this.#insist(make, options, 0, whole);
  }

  async stream(
    make: (received: number) => HttpRequest | Promise<HttpRequest>,
    options: StreamOptions,
  ): Promise<HttpStream> {
    const stopper = new Stopper(options.signal);
    try {
      return await this.#stream(make, options, stopper);
    } catch (error) {
      stopper.stop();
      throw error;
    }
  }

  async #stream(
    make: (received: number) => HttpRequest | Promise<HttpRequest>,
    options: StreamOptions,
    stopper: Stopper,
  ): Promise<HttpStream> {
    const { signal } = stopper;
    const open = async (received: number, attempt: number): Promise<Opened | HttpAnswer> =>
      this.#insist(
        () => make(received),
        { ...options, signal },
        attempt,
        async (answer) => (answer.status >= 200 && answer.status < 300 ? answer : whole(answer)),
      );
    const first = await open(0, 0);
    if ("body" in first) {
      stopper.stop();
      return first;
    }
    const again = async (received: number, attempt: number, error: unknown): Promise<Opened> => {
      signal.throwIfAborted();
      if (attempt >= maxRetries || !transientError(error, true)) throw this.#failure(error);
      await this.#pause(attempt, undefined, signal);
      const next = await open(received, attempt + 1);
      if ("body" in next) throw options.fault(next);
      if (received === 0 || continues(first, next)) return next;
      next.source.destroy();
      throw failed(
        `${this.#options.server}: expected the rest of a file after byte ${received}, found something else`,
        { hint: "the file changed, or the server does not know ranges: try again" },
      );
    };
    const stream = readable(resumed(first, again), stopper);
    return { status: first.status, headers: first.headers, stream };
  }

  /** Attempts until one has an answer that counts. Errors of `make` are thrown as they are. */
  async #insist<T extends { readonly status: number; readonly headers: HttpHeaders }>(
    make: () => HttpRequest | Promise<HttpRequest>,
    options: RequestOptions,
    firstAttempt: number,
    take: (answer: Opened) => Promise<T | HttpAnswer>,
  ): Promise<T | HttpAnswer> {
    const { signal } = options;
    for (let attempt = firstAttempt; ; attempt += 1) {
      signal?.throwIfAborted();
      const request = await make();
      let answer: T | HttpAnswer;
      try {
        answer = await take(await this.#once(request, signal));
      } catch (error) {
        signal?.throwIfAborted();
        if (attempt >= maxRetries || !transientError(error, this.#answered))
          throw this.#failure(error);
        await this.#pause(attempt, undefined, signal);
        continue;
      }
      const wait = await this.#judged(answer, options);
      if (wait === undefined || attempt >= maxRetries || (wait.ms ?? 0) > patience) return answer;
      if (wait.ms !== 0) await this.#pause(attempt, wait.ms, signal);
    }
  }

  /** Whether to ask again, and after how many milliseconds (by the usual steps if undefined). */
  async #judged(
    answer: { readonly status: number; readonly headers: HttpHeaders },
    options: RequestOptions,
  ): Promise<{ readonly ms: number | undefined } | undefined> {
    const { status, headers } = answer;
    if (status === 429 || status === 503) options.onBusy?.();
    if (transientStatus(status)) {
      const header = headers["retry-after"];
      return { ms: retryAfter(header, this.#serverDate, this.#options.world.now) };
    }
    const verdict = isWhole(answer) ? await options.judge?.(answer) : undefined;
    return verdict === undefined ? undefined : { ms: verdict === "again" ? 0 : undefined };
  }

  async #once(request: HttpRequest, signal: AbortSignal | undefined): Promise<Opened> {
    const { headersTimeout = 60_000, bodyTimeout = 300_000, world } = this.#options;
    this.#dispatcher ??= openDispatcher(world.env, { headersTimeout, bodyTimeout });
    const dispatcher = await this.#dispatcher;
    const undici = await import("./undici.ts");
    const answer = await undici.request(request.url, dispatcher, {
      method: request.method,
      headers: { ...request.headers },
      body: request.body ?? null,
      ...(signal === undefined ? {} : { signal }),
    });
    const headers: Record<string, string | undefined> = {};
    for (const [name, value] of Object.entries(answer.headers))
      headers[name] = Array.isArray(value) ? value[0] : value;
    const date = Date.parse(headers["date"] ?? "");
    if (!Number.isNaN(date)) this.#serverDate = new Date(date);
    this.#answered = true;
    return { status: answer.statusCode, headers, source: answer.body };
  }

  async #pause(attempt: number, ms: number | undefined, signal?: AbortSignal): Promise<void> {
    const { world } = this.#options;
    await world.sleep(ms ?? backOff(attempt, world.random), signal);
  }

  #failure(error: unknown): Failure {
    if (error instanceof Failure) return error;
    const code = systemCode(error) ?? (error instanceof Error ? error.message : "an error");
    const certificate = /CERT|SIGNATURE|ERR_TLS|ERR_SSL/.test(code);
    return failed(`${this.#options.server}: expected an answer, found ${code}`, {
      hint: certificate
        ? "NODE_EXTRA_CA_CERTS names a file of further certificates to trust"
        : "check the network and the endpoint, then run this again",
      cause: error,
    });
  }
}

function isWhole(answer: object): answer is HttpAnswer {
  return "body" in answer;
}

async function whole({ status, headers, source }: Opened): Promise<HttpAnswer> {
  const parts: Buffer[] = [];
  for await (const chunk of chunks(source)) parts.push(chunk);
  return { status, headers, body: Buffer.concat(parts) };
}
