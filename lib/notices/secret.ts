import { runShell } from "../config/command.ts";
import { resolveSecret } from "../config/secret.ts";
import { Failure, failed } from "../errors.ts";
import type { NoticeWorld, SendOptions } from "./channel.ts";
import { shownTimeout } from "./channel.ts";

/**
 * The secret that `file:PATH`, `command:CMD` or a literal text stands for, within the time to send.
 * Throws failed, without the secret.
 */
export async function openSecret(
  what: string,
  text: string,
  { env, runCommand = runShell }: NoticeWorld,
  { timeoutMs }: SendOptions,
): Promise<string> {
  const run: typeof runCommand = async (command, options) => {
    const result = await runCommand(command, { ...options, timeoutMs });
    if (!result.timedOut) return result;
    const limit = shownTimeout(timeoutMs);
    throw failed(`expected a secret from the command within ${limit}, found it still running`);
  };
  try {
    // Paths are absolute by now.
    return await resolveSecret(text, { base: "/", env, runCommand: run });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { hint, message } = error;
    throw failed(`${what}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause: error });
  }
}
