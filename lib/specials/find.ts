import { opendir } from "node:fs/promises";
import { failed, interrupted } from "../errors.ts";

export interface FindOptions {
  readonly links: boolean;
  /** Directories to stay out of, such as a mounted /proc: relative, bytes in Latin-1 strings. */
  readonly prune: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/**
 * The fifos, devices and (if asked for) symbolic links below a directory, as relative paths whose bytes
 * stand in Latin-1 strings, in byte order. Directories that can't be read are passed over: rclone
 * names them itself. Throws failed() without find, interrupted() when the signal is aborted.
 */
export async function findSpecials(source: string, options: FindOptions): Promise<string[]> {
  // A missing or closed source is for the guards and for rclone to speak of.
  if (!(await readable(source))) return [];
  const { execa } = await import("execa");
  const child = execa("find", expression(options), {
    cwd: source,
    buffer: false,
    encoding: "buffer",
    reject: false,
    stdin: "ignore",
    stderr: "ignore",
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const result = await child;
  if (result.isCanceled) throw interrupted("stopped while looking for special files");
  if (result.exitCode === undefined) {
    throw failed("cannot run find, which looks for special files", {
      hint: "install findutils, or set archive_specials = no",
      cause: result,
    });
  }
  const names = Buffer.concat(chunks).toString("latin1").split("\0");
  // The last one was not ended, if find was stopped in its midst.
  names.pop();
  return names.map((name) => name.slice("./".length)).toSorted();
}

function expression({ links, prune }: FindOptions): string[] {
  const types = ["p", "b", "c", ...(links ? ["l"] : [])].flatMap((type) => ["-o", "-type", type]);
  const pruned = prune.flatMap((path) => ["-path", `./${literal(path)}`, "-prune", "-o"]);
  return ["-P", ".", ...pruned, "(", ...types.slice(1), ")", "-print0"];
}

/** A pattern of find that matches these bytes alone. Arguments are UTF-8, so other bytes become `?`. */
function literal(path: string): string {
  const text = Buffer.from(path, "latin1").toString("utf8");
  return text.replaceAll(/[\\*?[\]]/g, "\\$&").replaceAll("�", "?");
}

/** Tried, not asked: access(2) knows nothing of the right to read all files that a service may have. */
async function readable(directory: string): Promise<boolean> {
  try {
    // The dot needs the right to enter it too.
    await (await opendir(`${directory}/.`)).close();
    return true;
  } catch {
    return false;
  }
}
