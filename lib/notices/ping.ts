import type { Failure } from "../errors.ts";
import type { BoundOptions } from "./bounded.ts";
import { bounded } from "./bounded.ts";
import type { NoticeWorld } from "./channel.ts";
import { openSecret } from "./secret.ts";
import { ask } from "./web.ts";

/** What somebody who watches from outside is told: by GET of a URL. */
export interface Ping {
  /** For messages: `CANARY`, or `ping of data`. */
  readonly what: string;
  /** A secret that may not be resolved yet. */
  readonly url: string;
  /** Put behind the URL's path; nothing for success. */
  readonly variant?: "start" | "fail" | undefined;
}

/** Fetches a URL within the time. Returns why it could not be, without secrets. Never throws. */
export async function sendPing(
  { what, url, variant }: Ping,
  world: NoticeWorld,
  bounds: BoundOptions = {},
): Promise<Failure | undefined> {
  return bounded(
    what,
    async (options) => {
      const opened = await openSecret(what, url, world, options);
      await ask({ what, url: variantOf(opened, variant), method: "GET" }, world.env, options);
    },
    bounds,
  );
}

/** The URL with `/start` or `/fail` behind its path, before a query. */
function variantOf(url: string, variant: Ping["variant"]): string {
  if (variant === undefined || !URL.canParse(url)) return url;
  const changed = new URL(url);
  changed.pathname = `${changed.pathname.replace(/\/$/, "")}/${variant}`;
  return changed.href;
}
