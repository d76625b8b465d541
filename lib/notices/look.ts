import type { NotifySettings } from "../config/backup.ts";
import { httpUrl } from "../config/nightkinds.ts";
import { Failure } from "../errors.ts";
import type { NoticeWorld } from "./channel.ts";
import { findSendmail } from "./mail.ts";
import type { Notice } from "./notice.ts";
import { openSecret } from "./secret.ts";
import { parseSmtpUrl } from "./smtp.ts";
import { fillTemplate, readTemplate } from "./webhook.ts";

/** One that a template is filled with to see whether it can be. */
const sample: Notice = {
  ...{ event: "failure", phase: "new", backup: "home", host: "nas", at: "2026-01-31T03:00:00Z" },
  ...{ subject: "home failed", text: "home failed", facts: {} },
};

const patience = 10_000;

/**
 * What keeps notices from being sent that can be told without sending one: secrets that can't be read
 * or are no URLs, a template that can't be filled in, a missing sendmail.
 */
export async function lookAtChannels(
  notify: NotifySettings,
  world: NoticeWorld,
  signal: AbortSignal,
): Promise<Failure[]> {
  const open = async (what: string, secret: string): Promise<string> =>
    openSecret(what, secret, world, { signal, timeoutMs: patience });
  const { mail, smtp, webhookTemplate } = notify;
  const urls = (["webhook", "ntfy", "ping"] as const).flatMap((what) => {
    const secret = notify[what];
    return secret === undefined ? [] : [async () => checkUrl(what, await open(what, secret))];
  });
  const checks: (() => unknown)[] = [
    ...urls,
    ...(smtp === undefined ? [] : [async () => parseSmtpUrl(await open("smtp", smtp))]),
    ...(mail.length > 0 && smtp === undefined
      ? [async () => findSendmail(world.env["PATH"] ?? "")]
      : []),
    ...(webhookTemplate === undefined
      ? []
      : [async () => fillTemplate(await readTemplate(webhookTemplate), sample)]),
  ];
  const failures = await Promise.all(checks.map(async (check) => failureOf(check)));
  return failures.filter((failure) => failure !== undefined);
}

/** The text is a secret, and not told. */
function checkUrl(what: string, text: string): void {
  try {
    httpUrl.parse(text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure("usage", `${what}: ${error.message}`, { cause: error });
  }
}

async function failureOf(check: () => unknown): Promise<Failure | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}
