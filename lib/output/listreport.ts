import type { Change } from "../manifest/changes.ts";
import type { Entry } from "../manifest/entry.ts";
import { pathBytes, pathJson } from "./names.ts";

/** Files as `rclone ls` prints them: size and path. */
export function listPage(entries: readonly Entry[], toTerminal: boolean): Buffer {
  return join(
    entries.map(({ path, size }) => [
      Buffer.from(`${String(size).padStart(9)} `),
      pathBytes(path, toTerminal),
    ]),
  );
}

/** Files as NDJSON: one object a line. */
export function listNdjson(entries: readonly Entry[]): Buffer {
  return Buffer.from(
    entries.map((entry) => `${JSON.stringify(entryJson(entry))}\n`).join(""),
    "utf8",
  );
}

export function entryJson({ path, size, time }: Entry): Record<string, unknown> {
  return { ...pathJson(path), size, modified: time };
}

/** What a dry run would do, a line a file: what, size and path. */
export function changePage(changes: readonly Change[], toTerminal: boolean): Buffer {
  return join(
    changes.map(({ kind, path, size }) => [
      Buffer.from(`${kind.padEnd(6)} ${String(size).padStart(12)} `),
      pathBytes(path, toTerminal),
    ]),
  );
}

function join(lines: readonly Buffer[][]): Buffer {
  return Buffer.concat(lines.flatMap((line) => [...line, Buffer.from("\n")]));
}

/** `Www Mmm dd hh:mm:ss yyyy (@EPOCH) path`, in local time. */
export function newestLine(entry: Entry, toTerminal: boolean): Buffer {
  const at = new Date(entry.time);
  const [week = "", month = ""] = at.toString().split(" ");
  const day = String(at.getDate()).padStart(2);
  const clock = at.toTimeString().slice(0, 8);
  const when = `${week} ${month} ${day} ${clock} ${at.getFullYear()} (@${Math.floor(at.getTime() / 1000)}) `;
  return join([[Buffer.from(when), pathBytes(entry.path, toTerminal)]]);
}
