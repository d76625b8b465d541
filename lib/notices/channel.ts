import type { RunCommand } from "../config/command.ts";
import type { Environment } from "../config/interpolate.ts";
import type { Notice } from "./notice.ts";

/** What sending may use of the world. */
export interface NoticeWorld {
  readonly env: Environment;
  readonly hostname: string;
  /** For `command:` secrets; the real shell unless a test gives another. */
  readonly runCommand?: RunCommand | undefined;
}

export interface SendOptions {
  /** Aborted when the time is up, or the run is stopped. */
  readonly signal: AbortSignal;
  /** How long that is, for messages and for what can't be aborted. */
  readonly timeoutMs: number;
}

/** A way to tell somebody something. */
export interface Channel {
  /** What it is called in the configuration. */
  readonly kind: "mail" | "webhook" | "ntfy" | "command";
  /** Whether several notices become one, since people read it. */
  readonly combines: boolean;
  /** Throws a Failure without secrets. */
  send(notice: Notice, options: SendOptions): Promise<void>;
}

/** `10 s`, for messages. */
export function shownTimeout(timeoutMs: number): string {
  return `${Number((timeoutMs / 1000).toFixed(1))} s`;
}
