import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { bytes } from "./content.ts";
import type { Content } from "./content.ts";
import type { B2Error } from "./errors.ts";
import type { Deed } from "./faults.ts";

/** What is sent: headers and a stretch of content. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Content;
  readonly start: number;
  readonly end: number;
}

/** An answer in JSON. */
export function jsonReply(value: unknown, status = 200): Reply {
  return textReply(JSON.stringify(value), status);
}

/** An answer that is JSON already. */
export function textReply(text: string, status = 200): Reply {
  const content = bytes(Buffer.from(text));
  const headers = { "Content-Type": "application/json;charset=utf-8" };
  return { status, headers, content, start: 0, end: content.size };
}

/** An error as the service words it. */
export function errorReply({ status, code, message, retryAfter }: B2Error): Reply {
  const reply = jsonReply({ status, code, message }, status);
  if (retryAfter === undefined) return reply;
  return { ...reply, headers: { ...reply.headers, "Retry-After": String(retryAfter) } };
}

/** Sends it, by the server's clock, and breaks off or dawdles as the fault wants. */
export async function send(
  response: ServerResponse,
  reply: Reply,
  now: number,
  deed: Deed | undefined,
  headOnly: boolean,
): Promise<void> {
  const { status, headers, content, start, end } = reply;
  const length = String(end - start);
  const date = new Date(now).toUTCString();
  response.writeHead(status, { ...headers, "Content-Length": length, Date: date });
  response.flushHeaders();
  if (headOnly) {
    response.end();
    return;
  }
  const stops = deed?.kind === "truncate" || deed?.kind === "stall";
  const last = stops ? Math.min(end, start + deed.bytes) : end;
  const gone = new Promise<void>((resolve) => void response.once("close", resolve));
  for (const data of stretches(content, start, last, deed)) {
    if (response.destroyed) return;
    if (!response.write(data)) {
      const drained = new Promise<void>((resolve) => void response.once("drain", resolve));
      await Promise.race([drained, gone]);
    }
    if (deed?.kind === "trickle") await Promise.race([wait(deed.ms), gone]);
  }
  if (deed?.kind === "stall") return;
  if (last < end) response.socket?.end();
  else response.end();
}

function* stretches(
  content: Content,
  start: number,
  end: number,
  deed: Deed | undefined,
): Iterable<Buffer> {
  let at = start;
  for (const data of content.read(start, end)) {
    const sent = deed?.kind === "flip" ? flipped(data, deed.byte - at) : data;
    at += data.length;
    const size = deed?.kind === "trickle" ? deed.bytes : Math.max(1, sent.length);
    for (let from = 0; from < sent.length; from += size) yield sent.subarray(from, from + size);
  }
}

function flipped(data: Buffer, at: number): Buffer {
  if (at < 0 || at >= data.length) return data;
  const copy = Buffer.from(data);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
