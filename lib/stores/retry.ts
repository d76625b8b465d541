import { systemCode } from "../errors.ts";

/** After so many retries an attempt's outcome is final. */
export const maxRetries = 10;
const shortest = 1000;
const longest = 10_000;

/** Milliseconds to wait before retry number `attempt` (from 0): 1 s, doubling up to 10 s, spread. */
export function backOff(attempt: number, random: () => number): number {
  const wait = shortest * 2 ** attempt * (0.75 + 0.5 * random());
  return Math.round(Math.min(longest, Math.max(shortest, wait)));
}

/**
 * Milliseconds that a Retry-After header asks for, in seconds or as a date; undefined without one
 * that can be read.
 */
export function retryAfter(
  header: string | undefined,
  serverDate: Date | undefined,
  now: () => Date,
): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  // The date is by the server's clock, so it is held against the server's own Date.
  return Number.isNaN(at) ? undefined : Math.max(0, at - (serverDate ?? now()).getTime());
}

/** Whether a status asks by itself for another attempt. */
export function transientStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

const broken = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETRESET",
  "ENETUNREACH",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_SOCKET",
]);

/**
 * Whether a connection's error may pass. A name that is unknown and bytes that are no HTTP may be a
 * mistake in the configuration: they count as passing only where the server answered before.
 */
export function transientError(error: unknown, answeredBefore: boolean): boolean {
  const code = systemCode(error);
  if (code === undefined) return false;
  return broken.has(code) || (answeredBefore && (code === "ENOTFOUND" || code.startsWith("HPE_")));
}
