import { createReadStream } from "node:fs";
import type { FileEvent } from "../../manifest/outcome.ts";
import type { Pages } from "../../manifest/pages.ts";
import { linePages } from "../../manifest/textpages.ts";
import { sortFile } from "../../process/sort.ts";
import { LineSpool } from "../../process/spool.ts";
import { rawFromBytes, type RawPath } from "../../units/rawpath.ts";

/** What one line tells; a file may have several. */
export type Told = FileEvent["kind"] | "touched";

/** Takes what is told of files, in any order of their paths: memory does not grow with their number. */
export class EventSpool {
  readonly #spool: LineSpool;
  #sequence = 0;

  constructor(file: string) {
    this.#spool = new LineSpool(file);
  }

  /** The last that is told of a path counts: rclone tries three times. */
  tell(path: RawPath, kind: Told, size?: number): void {
    this.#sequence += 1;
    this.#spool.write(
      `${path}\t${String(this.#sequence).padStart(12, "0")}\t${kind}\t${size ?? ""}`,
    );
  }

  /** Closes it and returns the file of all that was told, sorted by path: see readEvents. */
  async sorted(scratch: string, signal: AbortSignal): Promise<string> {
    this.#spool.close();
    const sorted = `${this.#spool.file}.sorted`;
    await sortFile(this.#spool.file, sorted, scratch, { signal });
    return sorted;
  }
}

/** The last event of each path, sorted by path, and whether the path was set aside before. */
export async function* readEvents(file: string): Pages<FileEvent> {
  let last: FileEvent | undefined;
  for await (const lines of linePages(createReadStream(file))) {
    const page: FileEvent[] = [];
    for (const line of lines) {
      const event = parseEvent(line);
      if (last !== undefined && last.path !== event.path) page.push(last);
      const aside = last?.path === event.path && last.aside === true;
      last = aside ? { ...event, aside } : event;
    }
    if (page.length > 0) yield page;
  }
  if (last !== undefined) yield [last];
}

function parseEvent(line: string): FileEvent {
  const [path = "", , kind, size = ""] = line.split("\t");
  const event = {
    path: rawFromBytes(path) satisfies RawPath,
    size: size === "" ? undefined : Number(size),
  };
  switch (kind) {
    case "copied":
    case "deleted":
      return { ...event, kind };
    case "moved":
      return { ...event, kind, aside: true };
    case "touched":
      return { ...event, kind: "copied", touched: true };
    default:
      return { ...event, kind: "failed" };
  }
}

export async function countEvents(
  events: Pages<FileEvent>,
): Promise<Record<FileEvent["kind"], number>> {
  const counts = { copied: 0, deleted: 0, failed: 0, moved: 0 };
  for await (const page of events) for (const { kind } of page) counts[kind] += 1;
  return counts;
}
