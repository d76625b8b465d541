import { createReadStream } from "node:fs";
import type { Pages } from "../../manifest/pages.ts";
import { linePages } from "../../manifest/textpages.ts";
import { LineSpool } from "../../process/spool.ts";
import { rawFromBytes, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import type { KnownRun, PathFacts } from "./timeline.ts";

/** A file that a run left at the destination, where it is no longer, though no run took it away. */
export interface LostFile {
  readonly path: RawPath;
  /** When the run began that stored it, milliseconds since 1970, or one that still found it; undefined where only the last run is known. */
  readonly since: number | undefined;
}

/**
 * Since when a file had been there that is lost; undefined for one that is not. `sure` is the last run
 * that listed all there was: what is said before it may have been removed for good since.
 */
export function lostSince(
  { current, aside, told }: PathFacts,
  runs: readonly KnownRun[],
  sure: number,
): number | undefined {
  if (current !== undefined) return undefined;
  const taken = Math.max(-1, ...aside.map(({ run }) => run));
  let since: number | undefined;
  for (const { run, kind, planned } of told.toSorted((a, b) => b.run - a.run)) {
    if (planned || kind === "touch") continue;
    const teller = runs[run];
    const doubtful = teller === undefined || teller.uncertain || run < sure || run < taken;
    if (since === undefined && doubtful) return undefined;
    if (kind === "delete") break;
    since = teller?.time;
    if (kind !== "held") break;
  }
  return since;
}

/** The last run that listed all the destination held; 0 where none did. */
export function lastFull(runs: readonly KnownRun[]): number {
  return Math.max(
    0,
    runs.findLastIndex(({ full }) => full === true),
  );
}

const rememberedAtMost = 10_000;

/**
 * Finds what is lost while the facts pass. A store may write names in another form than it was given;
 * so a file is not lost where one lies that no run told of, and whose name differs in case or Unicode form only.
 */
export class LostFiles {
  readonly #spool: LineSpool;
  readonly #strangers = new Set<string>();

  constructor(file: string) {
    this.#spool = new LineSpool(file);
  }

  see(facts: PathFacts, runs: readonly KnownRun[], sure: number): void {
    if (facts.current !== undefined) {
      if (facts.told.length === 0 && this.#strangers.size < rememberedAtMost)
        this.#strangers.add(folded(facts.path));
      return;
    }
    const since = lostSince(facts, runs, sure);
    if (since !== undefined) this.#spool.write(`${facts.path}\t${since}`);
  }

  /** What was lost, once all has passed. */
  async *files(): Pages<LostFile> {
    this.#spool.close();
    for await (const lines of linePages(createReadStream(this.#spool.file)))
      yield lines.flatMap((line) => {
        const [path = "", since] = line.split("\t");
        const lost = { path: rawFromBytes(path), since: Number(since) };
        return this.#strangers.size > 0 && this.#strangers.has(folded(lost.path)) ? [] : [lost];
      });
  }
}

function folded(path: RawPath): string {
  return textFromRaw(path).normalize("NFC").toLowerCase();
}
