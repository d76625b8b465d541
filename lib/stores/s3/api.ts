import { createHash } from "node:crypto";
import { failed } from "../../errors.ts";
import type { Http, HttpAnswer, HttpRequest, HttpStream } from "../http.ts";
import type { Credentials } from "./credentials.ts";
import type { Endpoint } from "./endpoint.ts";
import { expired, faultFailure, faultOf, mayPass, readFault, type Fault } from "./faults.ts";
import { parseXml, unexpected, type Element } from "./xml.ts";

/** What the provider bills a call as. */
type Billed = "list" | "copy" | "get" | "delete";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is done to what, for messages. */
  readonly subject: string;
}

export interface Call {
  readonly billed: Billed;
  readonly method: HttpRequest["method"];
  /** The bucket itself where it is left out. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** What S3 calls the document that answers; any body, or none, unless given. */
  readonly answer?: string;
}

export type Answer =
  | { readonly root: Element | undefined; readonly answer: HttpAnswer; readonly fault?: undefined }
  | { readonly fault: Fault };

export interface ApiOptions {
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly bucket: string;
  readonly credentials: Credentials;
  readonly now: () => Date;
  /** Headers of every request, such as who pays. */
  readonly headers: Readonly<Record<string, string>>;
  /** Told of every 429 and 503. */
  readonly onBusy: () => void;
}

/** Signed requests to one bucket. */
export class S3Api {
  readonly transactions: Record<Billed, number> = { list: 0, copy: 0, get: 0, delete: 0 };
  readonly #options: ApiOptions;
  #region: string | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  /** The root of the server's answer; throws a Failure when it refuses. */
  async call(call: Call, options: CallOptions): Promise<Element> {
    const answer = await this.ask(call, options);
    if (answer.fault !== undefined) throw faultFailure(options.subject, answer.fault);
    if (answer.root === undefined) throw unexpected(options.subject, "an answer in XML", "none");
    return answer.root;
  }

  /** The server's answer or its refusal. Throws only where there is neither. */
  async ask(call: Call, options: CallOptions): Promise<Answer> {
    let fault: Fault | undefined;
    let root: Element | undefined;
    let corrected = false;
    const answer = await this.#options.http.request(() => this.#request(call), {
      signal: options.signal,
      onBusy: this.#options.onBusy,
      judge: async (whole) => {
        root = await this.#root(call, whole);
        // Some calls are answered with 200 first and with an error in the end.
        fault = root?.name === "Error" ? faultOf(root, whole.status) : undefined;
        if (whole.status >= 300) fault = await readFault(whole);
        if (fault === undefined)
          // Half a document may come from a connection that was cut without a length to tell.
          return call.answer !== undefined && !isDocument(root) ? "later" : undefined;
        if (!corrected && (await this.#correct(fault))) {
          corrected = true;
          return "again";
        }
        return mayPass(fault) ? "later" : undefined;
      },
    });
    // 5xx never reach the judge.
    if (answer.status >= 300) return { fault: await readFault(answer) };
    if (fault !== undefined) return { fault };
    if (call.answer !== undefined && !isDocument(root))
      throw unexpected(options.subject, `a whole document of ${call.answer}`, root?.name ?? "none");
    return { root, answer };
  }

  async #root(call: Call, answer: HttpAnswer): Promise<Element | undefined> {
    return call.method === "HEAD" || answer.body.length === 0 ? undefined : parseXml(answer.body);
  }

  /** The content of an object as a stream that goes on where it broke off. */
  async download(
    key: string,
    query: Readonly<Record<string, string>>,
    range: (received: number) => string | undefined,
    options: CallOptions,
  ): Promise<HttpStream> {
    let corrected = false;
    return this.#options.http.stream(
      (received) => {
        const bytes = range(received);
        return this.#request({
          billed: "get",
          method: "GET",
          key,
          query,
          headers: bytes === undefined ? {} : { range: bytes },
        });
      },
      {
        signal: options.signal,
        onBusy: this.#options.onBusy,
        judge: async (whole) => {
          const fault = await readFault(whole);
          if (!corrected && (await this.#correct(fault))) {
            corrected = true;
            return "again";
          }
          return mayPass(fault) ? "later" : undefined;
        },
        fault: (answer) =>
          failed(`${options.subject}: expected the rest of it, found ${answer.status}`),
      },
    );
  }

  /** Whether a refused request may be accepted when it is signed anew. */
  async #correct(fault: Fault): Promise<boolean> {
    if (expired(fault)) return this.#options.credentials.renew();
    const elsewhere = [
      "AuthorizationHeaderMalformed",
      "PermanentRedirect",
      "IllegalLocationConstraintException",
    ];
    const { region } = fault;
    const told = elsewhere.includes(fault.code) || fault.status === 301;
    if (!told || region === undefined || region === (this.#region ?? this.#options.endpoint.region))
      return false;
    if (!/^[a-z0-9-]+$/.test(region)) return false;
    this.#region = region;
    return true;
  }

  /** A request with its signature; made anew for every attempt, since signatures age. */
  async #request(call: Call): Promise<HttpRequest> {
    const { endpoint, bucket, credentials, now } = this.#options;
    this.transactions[call.billed] += 1;
    const region = this.#region ?? endpoint.region;
    const url = endpoint.url({ bucket, key: call.key, query: call.query ?? {}, region });
    const headers: Record<string, string> = {
      ...this.#options.headers,
      ...call.headers,
      ...(call.body === undefined ? {} : { "content-type": "application/xml" }),
    };
    const keys = await credentials.get();
    const request = {
      method: call.method,
      url,
      ...(call.body === undefined ? {} : { body: call.body }),
    };
    if (keys === undefined) return { ...request, headers };
    headers["x-amz-content-sha256"] = createHash("sha256")
      .update(call.body ?? "")
      .digest("hex");
    const { AwsV4Signer } = await import("aws4fetch");
    const signed = await new AwsV4Signer({
      ...request,
      headers,
      ...keys,
      service: "s3",
      region,
      datetime: now()
        .toISOString()
        .replace(/[:-]|\.\d{3}/g, ""),
    }).sign();
    return { ...request, headers: Object.fromEntries(signed.headers) };
  }
}

/** Servers have names of their own for the same document; a proxy's page is none. */
function isDocument(root: Element | undefined): boolean {
  return root !== undefined && root.name.toLowerCase() !== "html";
}
