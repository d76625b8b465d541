import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { failed } from "../errors.ts";
import { runGroup } from "../process/group.ts";
import { fileLines } from "./lines.ts";
import { belowRoot, type OwnedFile, type Packages } from "./owned.ts";

export interface RpmOptions {
  readonly env: Readonly<Record<string, string>>;
  /** A directory for what rpm prints: it doesn't wait for us, and it prints much. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** One line a file. The name comes last, since it may hold anything. */
const format = "[%{=NAME}\\t%{FILESTATES}\\t%{LONGFILESIZES}\\t%{FILEDIGESTS}\\t%{FILENAMES}\\n]";
/** A file's state is 0 where it was installed as it is, and still is the package's. */
const line = /^([^\t]*)\t0\t(\d+)\t([0-9a-f]{32,128})\t\/(.+)$/;
const pageSize = 1000;

/**
 * The files of all packages, asked of rpm itself: the format of its database changed often. Ghosts,
 * directories and links have no digest. Throws failed where rpm can't be run or fails.
 */
export async function* rpmFiles(root: string, options: RpmOptions): Packages {
  const output = join(options.scratch, "rpm");
  const at = root === "/" ? [] : ["--root", root];
  let told = "";
  const { code } = await runGroup({
    command: ["rpm", ...at, "-qa", "--qf", format],
    env: { ...options.env, LC_ALL: "C" },
    signal: options.signal,
    takeStdout: (stdout) => pipeline(stdout, createWriteStream(output)),
    onStderr: (text) => (told ||= text),
  });
  options.signal.throwIfAborted();
  if (code !== 0)
    throw failed(`rpm: expected its list of files, found exit code ${code ?? "none"}: ${told}`);
  let name = "";
  let files: OwnedFile[] = [];
  for await (const text of fileLines(output)) {
    const [, next, size, digest = "", path = ""] = line.exec(text) ?? [];
    if (next === undefined) continue;
    if (next !== name || files.length >= pageSize) {
      if (files.length > 0) yield { manager: "rpm", package: name, files };
      name = next;
      files = [];
    }
    files.push({ path: belowRoot(path), digest, size: Number(size) });
  }
  if (files.length > 0) yield { manager: "rpm", package: name, files };
}
