import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { failed } from "../errors.ts";

/**
 * Has the system write all of the file systems of these directories to the disk: once, instead of once for
 * each of a million files. What is not there is passed over. Throws failed(), also where the disk refused
 * what was written earlier.
 */
export async function syncFiles(directories: readonly string[]): Promise<void> {
  const devices = new Map<number, string>();
  for (const directory of directories) {
    const found = statSync(directory, { throwIfNoEntry: false });
    if (found !== undefined && !devices.has(found.dev)) devices.set(found.dev, directory);
  }
  const places = [...devices.values()];
  if (places.length === 0) return;
  let said = await complaint(["-f", ...places]);
  // Without -f it syncs all there is, but says nothing of errors: only for a sync that knows no -f.
  if (said !== undefined && /invalid option|unrecognized option|unknown option/i.test(said))
    said = await complaint([]);
  if (said === undefined) return;
  throw failed(`cannot sync ${places.join(", ")}: the program sync failed: ${said}`, {
    hint: "is the disk well, and has it room? sync is one of coreutils or busybox",
  });
}

/** What sync said when it failed; undefined when it did not. Not by execa: importing that takes longer. */
async function complaint(words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" };
    const child = spawn("sync", words, { stdio: ["ignore", "ignore", "pipe"], env });
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (said.length < 1000) said += text;
    });
    child.once("error", ({ message }) => resolve(message));
    child.once("close", (code) =>
      resolve(code === 0 ? undefined : said.trim() || "it said nothing"),
    );
  });
}
