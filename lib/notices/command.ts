import { failed } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import { parentDeathPrefix } from "../state/parentdeath.ts";
import type { Channel, NoticeWorld, SendOptions } from "./channel.ts";
import { shownTimeout } from "./channel.ts";
import { cut } from "./ntfy.ts";

/** A variable of the environment may not have more than 128 KiB, and all of them share a limit. */
const longestText = 64 * 1024;

/** A command of the user's. It gets the notice in its environment, and the text on standard input. */
export function commandChannel(command: string, world: NoticeWorld): Channel {
  return {
    kind: "command",
    combines: false,
    async send(notice, options) {
      const env = {
        ...definedOnly(world),
        NOTICE_EVENT: notice.event,
        NOTICE_PHASE: notice.phase,
        NOTICE_BACKUP: notice.backup ?? "",
        NOTICE_HOST: notice.host,
        NOTICE_AT: notice.at,
        NOTICE_SUBJECT: notice.subject,
        NOTICE_TEXT: cut(notice.text, longestText),
      };
      await runForNotice("command", ["/bin/sh", "-c", command], notice.text, env, options);
    },
  };
}

/** The environment without what is not set. */
export function definedOnly({ env }: NoticeWorld): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value !== undefined) defined[name] = value;
  return defined;
}

/** A sender has no work to save: milliseconds from SIGTERM to SIGKILL. */
const grace = 1000;

const tailLines = 3;
const tailWidth = 300;

/**
 * Runs a program with `input` on its standard input, in a process group that is ended as a whole when
 * the time is up. Throws failed if it doesn't end with 0, with the last lines that it printed.
 */
export async function runForNotice(
  what: string,
  command: readonly string[],
  input: string | Uint8Array,
  env: Readonly<Record<string, string>>,
  { signal, timeoutMs }: SendOptions,
): Promise<void> {
  const tail: string[] = [];
  const onLine = (line: string): void => {
    tail.push(line.slice(0, tailWidth));
    if (tail.length > tailLines) tail.shift();
  };
  const result = await runGroup({
    command: [...(await parentDeathPrefix()), ...command],
    env,
    signal,
    grace,
    onStdin: (stdin) => stdin.end(input),
    onStdout: onLine,
    onStderr: onLine,
  });
  const said =
    tail.length === 0
      ? "it printed nothing"
      : `it printed last:\n${tail.map((line) => `  ${line}`).join("\n")}`;
  if (signal.aborted) {
    const limit = shownTimeout(timeoutMs);
    throw failed(
      `${what}: expected it to end within ${limit}, found it still running and ended it; ${said}`,
    );
  }
  if (result.code === 0) return;
  const found = result.code ?? result.signal ?? "none";
  throw failed(`${what}: expected exit code 0, found ${found}; ${said}`);
}
