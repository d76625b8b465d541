import { failed, type Failure } from "../../errors.ts";

/** A JSON object out of an answer whose fields have yet to be checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** An answer that is not what the service documents: nothing may be concluded from it. */
export function unexpected(operation: string, expected: string, found: unknown): Failure {
  return failed(`${operation}: expected ${expected}, found ${describe(found)}`, {
    hint: "the endpoint does not answer as Backblaze B2 does; nothing was concluded from it",
  });
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function text(operation: string, fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string" || value === "")
    throw unexpected(operation, `text in ${name}`, value);
  return value;
}

export function textOrNull(operation: string, fields: Fields, name: string): string | null {
  const value = fields[name];
  if (value !== null && typeof value !== "string")
    throw unexpected(operation, `text or null in ${name}`, value);
  return value;
}

/** A whole number, 0 or more: sizes, and times in milliseconds. */
export function whole(operation: string, fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw unexpected(operation, `a whole number in ${name}`, value);
  return value;
}

export function list(operation: string, fields: Fields, name: string): readonly Fields[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw unexpected(operation, `a list in ${name}`, value);
  for (const item of value as readonly unknown[])
    if (!isFields(item)) throw unexpected(operation, `objects in ${name}`, item);
  return value as readonly Fields[];
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "number" ? String(value) : `a value of type ${typeof value}`;
}
