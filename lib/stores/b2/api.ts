import { usage } from "../../errors.ts";
import type { Http, HttpAnswer, HttpRequest, HttpStream, Verdict } from "../http.ts";
import { isFields, unexpected, type Fields } from "./answers.ts";
import { demand, readAuthorization, type Authorization, type Capability } from "./authorization.ts";
import { faultFailure, readFault, staleToken, type Fault } from "./faults.ts";

/** How the provider bills a call: A is free, B and C are paid for. */
type Billed = "classA" | "classB" | "classC";

const billing: Readonly<Record<string, Billed>> = {
  b2_cancel_large_file: "classA",
  b2_delete_file_version: "classA",
  b2_finish_large_file: "classA",
  b2_hide_file: "classA",
  b2_start_large_file: "classA",
  b2_download_file_by_id: "classB",
  b2_get_file_info: "classB",
};

/** Version 4 knows keys for several buckets; servers that only speak like the service may lack it. */
const versions = ["v4", "v2"] as const;

export interface ApiOptions {
  readonly http: Http;
  readonly endpoint: string;
  readonly keyId: string;
  readonly key: string;
  /** Told of every 429 and 503. */
  readonly onBusy: () => void;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is done to what, for messages. */
  readonly subject: string;
  /** Reads the body of an answer in place of JSON.parse; throws where that would. */
  readonly parse?: (body: Buffer) => unknown;
}

/** Calls of Backblaze's native API, authorised by one application key. */
export class B2Api {
  /** Calls made, by the class in which they are billed. */
  readonly transactions: Record<Billed, number> = { classA: 0, classB: 0, classC: 0 };
  readonly #options: ApiOptions;
  #version: string = versions[0];
  #authorization: Promise<Authorization> | undefined;
  #current: Authorization | undefined;

  constructor(options: ApiOptions) {
    this.#options = options;
  }

  get keyId(): string {
    return this.#options.keyId;
  }

  /** Who the key is and what it may do; asked once. Throws when the service refuses the key. */
  authorization(signal?: AbortSignal): Promise<Authorization> {
    this.#authorization ??= this.#authorize(signal).catch((error: unknown) => {
      this.#authorization = undefined;
      throw error;
    });
    return this.#authorization;
  }

  /** Throws a usage failure that names the first capability that the key lacks. */
  async demand(capabilities: readonly Capability[], signal?: AbortSignal): Promise<void> {
    demand(await this.authorization(signal), this.keyId, capabilities);
  }

  /** The service's answer; throws a Failure when it refuses. */
  async call(operation: string, body: object, options: CallOptions): Promise<Fields> {
    const { fields, fault } = await this.ask(operation, body, options);
    if (fault !== undefined) throw this.failure(options.subject, fault);
    return fields;
  }

  /** The service's answer or its refusal. Throws only where there is neither. */
  async ask(
    operation: string,
    body: object,
    options: CallOptions,
  ): Promise<
    | { readonly fields: Fields; readonly fault?: undefined }
    | { readonly fields?: undefined; readonly fault: Fault }
  > {
    let parsed: unknown;
    const answer = await this.#options.http.request(
      ...this.#renewing(
        ({ apiUrl, token }) => ({
          method: "POST",
          url: `${apiUrl}/b2api/${this.#version}/${operation}`,
          headers: { authorization: token, "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
        operation,
        options.signal,
        (whole) => {
          if (whole.status !== 200) return undefined;
          parsed = parse(whole, options.parse);
          // Half a document may come from a connection that was cut without a length to tell.
          return parsed === undefined ? "later" : undefined;
        },
      ),
    );
    if (answer.status !== 200) return { fault: readFault(answer) };
    if (!isFields(parsed)) throw unexpected(operation, "a JSON object", parsed);
    return { fields: parsed };
  }

  /** A download as a stream that goes on where it broke off. `range` says where from and to. */
  async download(
    fileId: string,
    range: (received: number) => string | undefined,
    options: CallOptions,
  ): Promise<HttpStream> {
    const operation = "b2_download_file_by_id";
    let received = 0;
    const [make, judged] = this.#renewing(
      ({ downloadUrl, token }) => {
        const bytes = range(received);
        return {
          method: "GET",
          url: `${downloadUrl}/b2api/${this.#version}/${operation}?fileId=${encodeURIComponent(fileId)}`,
          headers: { authorization: token, ...(bytes === undefined ? {} : { range: bytes }) },
        };
      },
      operation,
      options.signal,
      () => undefined,
    );
    return this.#options.http.stream(
      (bytes) => {
        received = bytes;
        return make();
      },
      { ...judged, fault: (answer) => this.failure(options.subject, readFault(answer)) },
    );
  }

  /** Counts further transactions of a call whose price depends on its answer. */
  bill(more: number): void {
    this.transactions.classC += more;
  }

  failure(subject: string, fault: Fault): Error {
    return faultFailure(subject, this.keyId, fault);
  }

  /** A request that gets a new token, once, when the service says that its token is stale. */
  #renewing(
    make: (authorization: Authorization) => HttpRequest,
    operation: string,
    signal: AbortSignal | undefined,
    judge: (answer: HttpAnswer) => Verdict,
  ): [
    () => Promise<HttpRequest>,
    {
      signal: AbortSignal | undefined;
      judge: (answer: HttpAnswer) => Promise<Verdict>;
      onBusy: () => void;
    },
  ] {
    let used: Authorization | undefined;
    let renewed = false;
    return [
      async () => {
        used = await this.authorization(signal);
        this.transactions[billing[operation] ?? "classC"] += 1;
        return make(used);
      },
      {
        signal,
        onBusy: this.#options.onBusy,
        judge: async (answer) => {
          if (renewed || answer.status !== 401 || !staleToken(readFault(answer)))
            return judge(answer);
          renewed = true;
          // Another request may have renewed it meanwhile.
          if (this.#current === used) this.#current = this.#authorization = undefined;
          await this.authorization(signal);
          return "again";
        },
      },
    ];
  }

  async #authorize(signal: AbortSignal | undefined): Promise<Authorization> {
    const { http, endpoint, keyId, key, onBusy } = this.#options;
    const operation = "b2_authorize_account";
    const authorization = `Basic ${Buffer.from(`${keyId}:${key}`).toString("base64")}`;
    let fault: Fault | undefined;
    for (const version of versions) {
      let parsed: unknown;
      const answer = await http.request(
        () => {
          this.transactions.classC += 1;
          const url = `${endpoint}/b2api/${version}/${operation}`;
          return { method: "GET", url, headers: { authorization } };
        },
        {
          signal,
          onBusy,
          judge: (whole) => {
            if (whole.status === 200) parsed = parse(whole);
            return whole.status === 200 && parsed === undefined ? "later" : undefined;
          },
        },
      );
      if (answer.status === 200) {
        if (!isFields(parsed)) throw unexpected(operation, "a JSON object", parsed);
        this.#version = version;
        this.#current = readAuthorization(parsed);
        return this.#current;
      }
      fault = readFault(answer);
      if (answer.status !== 404 && answer.status !== 400) break;
    }
    if (fault?.status === 401)
      throw usage(
        `${endpoint}: expected application key ${keyId} to be accepted, found ${fault.code || "401"}`,
        { hint: "check account (the key's id) and key of the remote: rclone config show" },
      );
    throw this.failure(`${endpoint}: to authorise`, fault ?? { status: 0, code: "", message: "" });
  }
}

function parse({ body }: HttpAnswer, read: CallOptions["parse"] = parseWhole): unknown {
  try {
    return read(body);
  } catch {
    return undefined;
  }
}

function parseWhole(body: Buffer): unknown {
  return JSON.parse(body.toString("utf8"));
}
