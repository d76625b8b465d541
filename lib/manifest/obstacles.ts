import type { RawPath } from "../units/rawpath.ts";
import type { Change } from "./changes.ts";
import type { Pages } from "./pages.ts";

/** A file of the destination that has to go before another one can come. */
export interface Obstacle {
  readonly path: RawPath;
  /** The file that comes where a directory holds it; undefined where it stands for a directory to come. */
  readonly directory: RawPath | undefined;
}

/**
 * Finds, among the changes of a sync in the order of their paths, files that are deleted and in the way
 * of others: one where a directory is to be, and those in a directory where a file is to be. It remembers no
 * more than the changes whose paths the last path begins with.
 */
export class Obstacles {
  readonly #above: { readonly path: RawPath; readonly goes: boolean; told: boolean }[] = [];

  /** What is in the way, known by one change more; each obstacle is told once. */
  see({ path, kind }: Pick<Change, "path" | "kind">): readonly Obstacle[] {
    const above = this.#above;
    // "a" comes before "a-b" and that before "a/b".
    while (above.length > 0 && !path.startsWith(above.at(-1)?.path ?? "")) above.pop();
    const goes = kind === "delete";
    const found: Obstacle[] = [];
    for (const each of above) {
      if (each.goes === goes || path[each.path.length] !== "/") continue;
      if (goes) found.push({ path, directory: each.path });
      else if (!each.told) found.push({ path: each.path, directory: undefined });
      each.told = true;
    }
    above.push({ path, goes, told: false });
    return found;
  }
}

/** All of them, of changes sorted by path. */
export async function* obstacles(changes: Pages<Change>): Pages<Obstacle> {
  const seen = new Obstacles();
  for await (const page of changes) {
    const found = page.flatMap((change) => seen.see(change));
    if (found.length > 0) yield found;
  }
}
