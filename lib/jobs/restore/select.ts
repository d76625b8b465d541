import { failed, type Failure } from "../../errors.ts";
import type { FileHistory } from "../../history/history.ts";
import { commonDirectory, compilePattern, type Pattern } from "../../history/pattern.ts";
import type { Pages } from "../../manifest/pages.ts";
import type { RawPath } from "../../units/rawpath.ts";

/** The files that patterns mean, and which patterns have met any. */
export interface Selection {
  /** All that is meant is below it: empty, or ends in `/`. */
  readonly directory: RawPath;
  /** Whether a path is meant; a pattern that means it has matched something. */
  matches(path: RawPath): boolean;
  /** Lets through what is meant. */
  select(histories: Pages<FileHistory>): Pages<FileHistory>;
  /** After select() has ended. Throws failed() where a pattern has matched nothing, and where there is nothing at all. */
  demand(place: string): void;
}

/** Compiles patterns; none at all means everything. */
export async function makeSelection(texts: readonly string[]): Promise<Selection> {
  const patterns = await Promise.all(texts.map((text) => compilePattern(text)));
  const idle = new Set(patterns);
  let seen = false;
  const matches = (path: RawPath): boolean => {
    let any = patterns.length === 0;
    for (const pattern of patterns) {
      // Every pattern has to be tried until it has met something.
      if (any && !idle.has(pattern)) continue;
      if (!pattern.matches(path)) continue;
      any = true;
      idle.delete(pattern);
    }
    seen ||= any;
    return any;
  };
  return {
    directory: commonDirectory(patterns),
    matches,
    async *select(histories) {
      for await (const page of histories) {
        const selected = page.filter(({ path }) => matches(path));
        if (selected.length > 0) yield selected;
      }
    },
    demand(place) {
      const [first] = idle;
      if (first !== undefined) throw nothingMatches([...idle], place);
      if (!seen) throw failed(`${place}: expected stored files, found none`);
    },
  };
}

function nothingMatches(idle: readonly Pattern[], place: string): Failure {
  const named = idle.map(({ text }) => text).join(", ");
  return failed(`${place}: expected files that ${named} matches, found none`, {
    hint: "paths begin at the top of the backup; --list without a path shows all there is",
  });
}
