import { connect } from "node:net";
import { interrupted, systemCode } from "../../errors.ts";
import { peerText, type Peer } from "../../rclone/peer.ts";
import type { Session } from "../session.ts";

/** How long a host may take to accept a connection, in milliseconds. */
const patience = 5000;

/**
 * Whether the host that serves the destination takes connections: undefined if so, and where no host of
 * one's own serves it or a proxy stands between, else what was expected and found. One connection is
 * opened and closed; nothing is sent. Throws the reason when the signal is aborted.
 */
export async function probeDestination(
  { destinationPlace, rclone }: Pick<Session, "destinationPlace" | "rclone">,
  signal: AbortSignal,
  limit = patience,
): Promise<string | undefined> {
  const { peer } = destinationPlace;
  if (peer === undefined || isProxied(peer, rclone.env)) return undefined;
  const found = await knock(peer, limit, signal);
  if (found === undefined) return undefined;
  return `destination: expected ${peerText(peer)} to take connections, found none (${found})`;
}

/** rclone goes through a proxy for HTTP alone; whom it spares is not guessed here. */
function isProxied({ scheme }: Peer, env: Readonly<Record<string, string>>): boolean {
  if (scheme === undefined) return false;
  return ["http_proxy", "https_proxy", "all_proxy"].some((name) =>
    [name, name.toUpperCase()].some((each) => (env[each] ?? "") !== ""),
  );
}

/** Why a host takes no connection; undefined if it does. */
async function knock(
  { host, port }: Peer,
  limit: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  signal.throwIfAborted();
  const socket = connect({ host, port, autoSelectFamily: true });
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => resolve("timed out"), limit);
      stop = () => reject(interrupted("stopped by a signal", { cause: signal.reason }));
      signal.addEventListener("abort", stop, { once: true });
      socket.once("connect", () => resolve(undefined));
      socket.on("error", (error) => resolve(reasonOf(error)));
    });
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal.removeEventListener("abort", stop);
    // A name that is still being looked up may end in an error, which nobody waits for any more.
    socket.on("error", () => {});
    socket.destroy();
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EHOSTUNREACH: "host unreachable",
  EHOSTDOWN: "host down",
  ENETUNREACH: "network unreachable",
  ENETDOWN: "network down",
  ENOTFOUND: "unknown host",
  EAI_AGAIN: "the name could not be looked up",
  ETIMEDOUT: "timed out",
};

/** Of several addresses that were tried, the first one's reason. */
function reasonOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = systemCode(first) ?? systemCode(error) ?? "";
  return reasons[code] ?? (code === "" ? "an unknown error" : code);
}
