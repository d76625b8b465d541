import assert from "node:assert/strict";
import { isRecord } from "./call.ts";
import type { B2Key, B2Server } from "./server.ts";

/** What a call of the API came to. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  /** The body as JSON, empty where it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A client that does nothing of its own: no retry, no new token. */
export interface Client {
  readonly token: string;
  /** Calls an API with a JSON body; `version` is the API's. */
  call: (api: string, body?: object, version?: number) => Promise<Answered>;
  /** Downloads by bucket and name. */
  get: (path: string, headers?: Record<string, string>) => Promise<Answered>;
  /** Uploads a file; `headers` add to or replace the usual ones. */
  upload: (
    bucketId: string,
    name: string,
    content: string,
    headers?: Record<string, string>,
  ) => Promise<Answered>;
}

/** Authorises with a key (the master key unless given). */
export async function connect(server: B2Server, key: B2Key = server): Promise<Client> {
  const login = Buffer.from(`${key.keyId}:${key.key}`).toString("base64");
  const headers = { authorization: `Basic ${login}` };
  const address = `${server.url}/b2api/v2/b2_authorize_account`;
  const { json } = await request(address, { headers });
  const token = String(json["authorizationToken"]);
  const call: Client["call"] = async (api, body = {}, version = 2) =>
    request(`${server.url}/b2api/v${version}/${api}`, {
      method: "POST",
      headers: { authorization: token },
      body: JSON.stringify(body),
    });
  return {
    token,
    call,
    get: async (path, more = {}) =>
      request(`${server.url}/file/${path}`, { headers: { authorization: token, ...more } }),
    upload: async (bucketId, name, content, more = {}) => {
      const place = await call("b2_get_upload_url", { bucketId });
      if (place.status !== 200) return place;
      return request(String(place.json["uploadUrl"]), {
        method: "POST",
        headers: {
          authorization: String(place.json["authorizationToken"]),
          "x-bz-file-name": encodeURIComponent(name),
          "content-type": "text/plain",
          "x-bz-content-sha1": "do_not_verify",
          ...more,
        },
        body: content,
      });
    },
  };
}

/** One request, its answer read to the end. */
export async function request(url: string, init: RequestInit): Promise<Answered> {
  const response = await fetch(url, init);
  const body = Buffer.from(await response.arrayBuffer());
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  const json: unknown = isJson && body.length > 0 ? JSON.parse(body.toString()) : {};
  const { status, headers } = response;
  return {
    status,
    headers,
    body,
    json: isRecord(json) ? json : {},
  };
}

/** A listing as columns. */
export interface Listed {
  readonly names: readonly string[];
  readonly ids: readonly string[];
  readonly actions: readonly string[];
  readonly nextFileName: string | null;
  readonly nextFileId: string | null;
}

/** The listing that was answered; the test fails where it is none. */
export function listed({ json, status, body }: Answered): Listed {
  assert.equal(status, 200, body.toString());
  const found: unknown = json["files"];
  const files: readonly unknown[] = Array.isArray(found) ? found : [];
  const texts = (field: string): string[] =>
    files.map((file) => (isRecord(file) ? String(file[field]) : ""));
  const next = (field: string): string | null => {
    const value = json[field];
    return typeof value === "string" ? value : null;
  };
  return {
    names: texts("fileName"),
    ids: texts("fileId"),
    actions: texts("action"),
    nextFileName: next("nextFileName"),
    nextFileId: next("nextFileId"),
  };
}

/** The test fails unless this is the error of the service with this status and code. */
export function refused(answer: Answered, status: number, code: string): void {
  const { json } = answer;
  const found = [answer.status, json["status"], json["code"]];
  assert.deepEqual(found, [status, status, code]);
  assert.equal(typeof json["message"], "string");
}
