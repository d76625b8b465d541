import { failed, usage } from "../errors.ts";
import type { Remotes } from "./resolve.ts";
import { runRclone, type Rclone } from "./run.ts";

/** What one call of rclone tells of itself. */
export interface Told {
  readonly remotes: Remotes;
  /** Such as `1.60.1`; undefined where its log did not name it. */
  readonly version: string | undefined;
}

/**
 * The configured remotes, read by rclone itself, so that an encrypted configuration works too, and
 * its version, which stands in its debug log: every start of rclone costs time.
 * Throws a usage failure when rclone can't read its configuration.
 */
export async function readRemotes(rclone: Rclone, signal?: AbortSignal): Promise<Told> {
  const lines: string[] = [];
  let version: string | undefined;
  const { code, lastError } = await runRclone(rclone, {
    args: ["config", "dump", "-vv", "--use-json-log"],
    signal,
    onLine: (line) => lines.push(line),
    onLog: ({ message }) => (version ??= /^Version "v(\d+\.\d+\.\d+)/.exec(message)?.[1]),
  });
  if (code !== 0) throw configFailure(lastError, rclone.env["RCLONE_CONFIG_PASS"] !== undefined);
  return { remotes: parseDump(lines.join("\n")), version };
}

/** Reads the JSON of `rclone config dump`. Throws when it is not what rclone prints. */
function parseDump(text: string): Remotes {
  let dump: unknown;
  try {
    dump = JSON.parse(text);
  } catch {
    // Not JSON: told below. The text is not quoted, for it may hold a secret.
  }
  if (typeof dump !== "object" || dump === null)
    throw failed("rclone config dump: expected a JSON object, found something else", {
      hint: "is this program rclone? [rclone] program and the PATH say which one is run",
    });
  const remotes = new Map<string, ReadonlyMap<string, string>>();
  for (const [name, options] of Object.entries<unknown>({ ...dump })) {
    if (typeof options !== "object" || options === null) continue;
    const entries = Object.entries<unknown>({ ...options }).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    );
    remotes.set(name, new Map(entries));
  }
  return remotes;
}

function configFailure(lastError: string | undefined, passwordGiven: boolean): Error {
  const told = lastError ?? "no message";
  if (/decrypt|password/i.test(told)) {
    return usage(
      `rclone's configuration: expected the password of the encrypted file, found ${passwordGiven ? "one that does not open it" : "none"}`,
      {
        hint: "set [rclone] password = file:PATH or command:CMD, or RCLONE_CONFIG_PASS in the environment",
        cause: new Error(told),
      },
    );
  }
  return usage(
    `rclone's configuration: expected a file that rclone can read; rclone says: ${told}`,
    {
      hint: "check [rclone] config, or run rclone config file",
    },
  );
}
