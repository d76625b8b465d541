import { failed } from "../../errors.ts";
import { runGroup } from "../../process/group.ts";
import { parentDeathPrefix } from "../../state/parentdeath.ts";
import type { Events } from "../../units/events.ts";
import type { BringDump } from "../split.ts";
import { streamInput } from "./input.ts";

/** A dump program with its arguments and all of its environment. */
export interface DumpCommand {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Runs a dump program, whose standard output is the dump. It throws failed() unless it ends with 0. */
export function bringByProgram(
  { words, env }: DumpCommand,
  { signal, events }: { readonly signal: AbortSignal; readonly events: Events },
): BringDump {
  return async (split) => {
    const [program = ""] = words;
    let told = "";
    const result = await runGroup({
      command: [...(await parentDeathPrefix()), ...words],
      env,
      signal,
      takeStdout: async (stdout) => split(streamInput(program, stdout)),
      onStderr: (line) => {
        told = line;
        events.warn(line);
      },
    });
    signal.throwIfAborted();
    if (result.code === 0) return;
    const how = result.signal ?? `exit code ${result.code ?? "?"}`;
    throw failed(`${program}: expected it to dump all, found that it ended with ${how}: ${told}`, {
      hint: "the files of the dump before are as they were",
    });
  };
}

/** Takes a dump that is there. */
export function bringInput(
  input: Parameters<Parameters<BringDump>[0]>[0],
  signal: AbortSignal,
): BringDump {
  // A read that waits for more ends, too.
  const stop = (): void => void input.close().catch(() => {});
  return async (split) => {
    signal.addEventListener("abort", stop, { once: true });
    try {
      await split(input);
    } finally {
      signal.removeEventListener("abort", stop);
      await input.close().catch(() => {});
    }
  };
}
