import type { Readable } from "node:stream";
import type { StoreWorld } from "./world.ts";

/*
 * What stores that are reached over HTTP ask through; `openHttp` in httpclient.ts makes one.
 */

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Names of headers are in lower case; of one that came several times the first counts. */
export type HttpHeaders = Readonly<Record<string, string | undefined>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: Buffer;
}

/** A body as it comes; for a status other than 2xx it was read into `body` instead. */
export type HttpStream =
  | { readonly status: number; readonly headers: HttpHeaders; readonly stream: Readable }
  | (HttpAnswer & { readonly stream?: undefined });

/** `again`: at once, such as after a new token; `later`: after a pause. Both count as an attempt. */
export type Verdict = "again" | "later" | undefined;

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Judges every answer that would not be asked for again by itself (408, 429 and 5xx are):
   * whether it has to be all the same. An Error that it throws ends the request.
   */
  readonly judge?: (answer: HttpAnswer) => Verdict | Promise<Verdict>;
  /** Told of every 429 and 503, so that a limiter slows down. */
  readonly onBusy?: () => void;
}

export interface StreamOptions extends RequestOptions {
  /** Makes the error for an answer that ends a stream in its middle. */
  readonly fault: (answer: HttpAnswer) => Error;
}

export interface Http {
  /**
   * Asks until there is an answer that another attempt would not change, ten retries at most.
   * `make` is called anew for every attempt, since tokens and signatures age; it is the place to
   * count transactions. Returns the last answer whatever its status, its body whole: the caller
   * judges it. Throws a Failure when the server can't be reached, the signal's reason when aborted.
   */
  request(
    make: () => HttpRequest | Promise<HttpRequest>,
    options?: RequestOptions,
  ): Promise<HttpAnswer>;
  /**
   * The same for a body that is read as it comes. When it breaks off, the rest is asked for:
   * `make` gets the number of bytes that came already (0 at first) and adds them to its range.
   */
  stream(
    make: (received: number) => HttpRequest | Promise<HttpRequest>,
    options: StreamOptions,
  ): Promise<HttpStream>;
  /** The Date of the server's last answer. */
  readonly serverDate: Date | undefined;
  close(): Promise<void>;
}

export interface HttpOptions {
  /** Who is asked, for messages: without secrets. */
  readonly server: string;
  readonly world: StoreWorld;
  /** Milliseconds without a byte after which an attempt is given up; 60 s and 5 min by default. */
  readonly headersTimeout?: number;
  readonly bodyTimeout?: number;
}
