import { badRequest } from "./errors.ts";
import type { Token } from "./keys.ts";
import { allow } from "./keys.ts";
import type { Bucket, Service } from "./service.ts";

/** One call of an API with a JSON body, or with the same in the address. */
export interface Call {
  readonly api: string;
  readonly apiVersion: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly authorization: string | undefined;
  readonly service: Service;
  /** A fault's word on how many entries a listing returns at most. */
  readonly limit: number | undefined;
}

/** What the caller gets, and as how many transactions it is billed (1 unless told). */
export interface Result {
  readonly json?: unknown;
  /** Instead of `json`: text that is JSON already. */
  readonly text?: string;
  readonly billed?: number;
}

export type Handler = (call: Call) => Result;

/** A text of the body that must be there. */
export function text(call: Call, field: string): string {
  const value = optional(call, field);
  if (value === undefined) throw badRequest(`required field ${field} is missing`);
  return value;
}

/** A text of the body, undefined where it is missing, null or empty. */
export function optional({ body }: Call, field: string): string | undefined {
  const value = body[field];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw badRequest(`${field} is not a string`);
  return value;
}

/** A whole number of the body; the address has it as text. */
export function number({ body }: Call, field: string): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  const read = typeof value === "string" ? Number(value) : value;
  if (typeof read !== "number" || !Number.isInteger(read))
    throw badRequest(`${field} is not a whole number`);
  return read;
}

/** An object of texts, such as fileInfo. */
export function texts(call: Call, field: string): Record<string, string> | undefined {
  const value = call.body[field];
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) throw badRequest(`${field} is not an object`);
  const result: Record<string, string> = {};
  for (const [name, entry] of Object.entries(value)) {
    if (typeof entry !== "string") throw badRequest(`${field}.${name} is not a string`);
    result[name.toLowerCase()] = entry;
  }
  return result;
}

/** Whether this is an object with fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The account token of the call, which must be good for this. */
export function permit(call: Call, capability: string, bucketId?: string, name?: string): Token {
  const token = call.service.tokens.check(call.authorization, ["account"]);
  allow(token.key, capability, bucketId, name);
  return token;
}

/** The bucket that the body names, allowed for this. */
export function bucketOf(call: Call, capability: string, name?: string): Bucket {
  const id = text(call, "bucketId");
  permit(call, capability, id, name);
  return call.service.bucket(id);
}
