import type { IncomingHttpHeaders } from "node:http";
import { bytes, checksum } from "./content.ts";
import { B2Error, badRequest } from "./errors.ts";
import { allow } from "./keys.ts";
import { checkPart, storedType } from "./large.ts";
import { checkName, decodeName } from "./names.ts";
import type { Service } from "./service.ts";
import { fileJson, partJson } from "./wire.ts";

/** A POST to an upload address. */
export interface Upload {
  readonly service: Service;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The bucket or large file that the address names. */
  readonly target: string;
}

const infoPrefix = "x-bz-info-";
const mostInfo = 10;
const digits = 40;

/** The name of the file in the headers, where it can be read. */
export function uploadName(headers: IncomingHttpHeaders): string | undefined {
  const name = headers["x-bz-file-name"];
  return typeof name === "string" ? decodeName(name) : undefined;
}

/** b2_upload_file: a new version. */
export function uploadFile({ service, headers, body, target }: Upload): unknown {
  const token = service.tokens.check(headers.authorization, ["upload"]);
  if (token.target !== target) throw new B2Error(401, "bad_auth_token", "token of another address");
  const name = uploadName(headers);
  if (name === undefined) throw badRequest("X-Bz-File-Name is missing");
  allow(token.key, "writeFiles", target, name);
  checkName(name);
  const type = headers["content-type"];
  if (type === undefined) throw badRequest("Content-Type is missing");
  const fileInfo = infoOf(headers);
  const { data, sha1 } = checked(headers, body, name);
  const contentType = storedType(type);
  const made = { action: "upload", content: bytes(data), sha1, contentType, fileInfo } as const;
  return fileJson(service.add(service.bucket(target), name, made), 2);
}

/** b2_upload_part: a part of a large file, in the place of an earlier one of the same number. */
export function uploadPart({ service, headers, body, target }: Upload): unknown {
  const token = service.tokens.check(headers.authorization, ["part"]);
  if (token.target !== target) throw new B2Error(401, "bad_auth_token", "token of another address");
  const file = service.find(target)?.version;
  if (file?.action !== "start") throw badRequest(`No active upload for: ${target}`);
  const number = checkPart(Number(headers["x-bz-part-number"]));
  const { data, sha1 } = checked(headers, body, `part ${number}`);
  const part = { number, content: bytes(data), sha1, timestamp: service.clock.now() };
  file.parts.set(number, part);
  return partJson(target, part);
}

function infoOf(headers: IncomingHttpHeaders): Record<string, string> {
  const info: Record<string, string> = {};
  for (const [header, value] of Object.entries(headers))
    if (header.startsWith(infoPrefix) && typeof value === "string")
      info[header.slice(infoPrefix.length)] = decodeName(value);
  if (Object.keys(info).length > mostInfo) throw badRequest(`more than ${mostInfo} X-Bz-Info-`);
  return info;
}

/** The bytes and their checksum, which stands in a header or behind them. */
function checked(
  headers: IncomingHttpHeaders,
  body: Buffer,
  what: string,
): { readonly data: Buffer; readonly sha1: string } {
  const told = headers["x-bz-content-sha1"];
  if (typeof told !== "string") throw badRequest("X-Bz-Content-Sha1 is missing");
  const atEnd = told === "hex_digits_at_end";
  const data = atEnd ? body.subarray(0, -digits) : body;
  const wanted = atEnd ? body.subarray(-digits).toString() : told;
  const sha1 = checksum(bytes(data));
  if (wanted === "do_not_verify") return { data, sha1: `unverified:${sha1}` };
  if (wanted.toLowerCase() !== sha1)
    throw badRequest(`Checksum did not match data received: ${what}`);
  return { data, sha1 };
}
