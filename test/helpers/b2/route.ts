import type { IncomingMessage } from "node:http";
import { accountApis } from "./account.ts";
import type { Call } from "./call.ts";
import { isRecord } from "./call.ts";
import { downloadById, downloadByName } from "./download.ts";
import { B2Error, badRequest } from "./errors.ts";
import { fileApis } from "./files.ts";
import { largeApis } from "./large.ts";
import { decodeName } from "./names.ts";
import { jsonReply, textReply } from "./reply.ts";
import type { Reply } from "./reply.ts";
import type { Service } from "./service.ts";
import { uploadFile, uploadName, uploadPart } from "./upload.ts";

/** A request as far as the address tells. */
export interface Route {
  /** The name of the API, as `b2_download_file_by_name`. */
  readonly api: string;
  readonly apiVersion: number;
  /** The rest of the path: the bucket or large file of an upload, bucket and file of a download. */
  readonly rest: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

const apis = { ...accountApis, ...fileApis, ...largeApis };

/** What is asked for; throws 404 where the address is none of the service's. */
export function routeOf({ url = "" }: IncomingMessage): Route {
  const { pathname, searchParams } = new URL(url, "http://127.0.0.1");
  const query = Object.fromEntries(searchParams);
  const [, root = "", ...rest] = pathname.split("/");
  if (root === "file") return { api: "b2_download_file_by_name", apiVersion: 1, rest, query };
  const [version = "", api = "", ...more] = rest;
  const [, digits] = /^v([1-4])$/.exec(version) ?? [];
  if (root !== "b2api" || digits === undefined)
    throw new B2Error(404, "not_found", `no such address: ${pathname}`);
  return { api, apiVersion: Number(digits), rest: more, query };
}

/** The JSON body, or the address where there is none. */
export function fieldsOf({ query, api }: Route, body: Buffer): Readonly<Record<string, unknown>> {
  if (body.length === 0 || api.startsWith("b2_upload_")) return query;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (cause) {
    throw new B2Error(400, "bad_json", `bad JSON: ${String(cause)}`);
  }
  if (!isRecord(parsed)) throw new B2Error(400, "bad_json", "expected an object");
  return parsed;
}

/** The file name that a call is about, for the log and for faults, where the call tells one. */
export function nameOf(
  route: Route,
  request: IncomingMessage,
  fields: Readonly<Record<string, unknown>>,
): string | undefined {
  if (route.api === "b2_upload_file") return uploadName(request.headers);
  if (route.api === "b2_download_file_by_name") return decodeName(route.rest.slice(1).join("/"));
  const { fileName } = fields;
  return typeof fileName === "string" ? fileName : undefined;
}

/** What is sent back, and as how many transactions the call is billed. */
export interface Answer {
  readonly reply: Reply;
  readonly billed: number;
}

/** Carries the call out. */
export function answer(
  service: Service,
  route: Route,
  request: IncomingMessage,
  body: Buffer,
  fields: Readonly<Record<string, unknown>>,
  limit: number | undefined,
): Answer {
  const { api, apiVersion, rest, query } = route;
  const { headers } = request;
  const authorization = headers.authorization ?? query["Authorization"];
  const [target = "", ...path] = rest;
  const upload = { service, headers, body, target };
  if (api === "b2_upload_file") return once(jsonReply(uploadFile(upload)));
  if (api === "b2_upload_part") return once(jsonReply(uploadPart(upload)));
  const download = { service, authorization, range: headers.range };
  if (api === "b2_download_file_by_name")
    return once(downloadByName(download, decodeName(target), decodeName(path.join("/"))));
  if (api === "b2_download_file_by_id") {
    const { fileId } = fields;
    if (typeof fileId !== "string") throw badRequest("required field fileId is missing");
    return once(downloadById(download, fileId));
  }
  const handler = apis[api];
  if (handler === undefined) throw new B2Error(404, "not_found", `no such API: ${api}`);
  const call: Call = { api, apiVersion, body: fields, authorization, service, limit };
  const { json, text = JSON.stringify(json), billed = 1 } = handler(call);
  return { reply: textReply(text), billed };
}

function once(reply: Reply): Answer {
  return { reply, billed: 1 };
}
