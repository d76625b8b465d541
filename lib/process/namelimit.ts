import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { runGroup } from "./group.ts";

/**
 * The most bytes that a name may have in a local directory, which need not exist yet; undefined
 * where the system does not tell.
 */
export async function nameLimit(
  directory: string,
  signal?: AbortSignal,
): Promise<number | undefined> {
  let told = "";
  const { code } = await runGroup({
    // GNU's and busybox's; elsewhere -f means a format and this fails.
    command: ["stat", "-f", "-c", "%l", await existing(directory)],
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" },
    signal,
    onStdout: (line) => (told = line),
  });
  const limit = Number(told);
  return code === 0 && Number.isSafeInteger(limit) && limit > 0 ? limit : undefined;
}

async function existing(directory: string): Promise<string> {
  try {
    await stat(directory);
    return directory;
  } catch (error) {
    const parent = dirname(directory);
    if (parent === directory) throw error;
    return existing(parent);
  }
}
