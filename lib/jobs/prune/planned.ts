import { join } from "node:path";
import type { Pages } from "../../manifest/pages.ts";
import { LineSpool } from "../../process/spool.ts";
import type { Removals } from "../../retention/apply.ts";
import { openEnds, writeEnds, type EndsHeader } from "../../retention/endsfile.ts";
import { EndsWalk } from "../../retention/endswalk.ts";
import { readRemovals, spoolRemovals } from "../../retention/spool.ts";
import { decide, range, type Decidable, type Deciding } from "./decide.ts";

export interface PlanWorld extends Decidable {
  readonly files: { readonly ends: string };
  readonly scratch: string;
}

/** A whole plan, out of memory; only if it was made to be carried out. */
export interface PrunePlan {
  /**
   * Writes down when versions ended whose successors are to go: before any of them does. Nothing is
   * written where nothing is new. Throws failed() when it can't be written.
   */
  remember(header: EndsHeader): Promise<void>;
  removals(): Pages<Removals>;
}

/**
 * Decides on every file before anything is done. Where changes are to follow, what is to go and what
 * is to be remembered are spooled to the scratch directory. Throws what decide() throws.
 */
export async function planPrune(
  world: PlanWorld,
  deciding: Omit<Deciding, "ends">,
  changes: boolean,
): Promise<PrunePlan> {
  const { files, scratch } = world;
  const { events } = world.session.world;
  let damaged = false;
  const before = await openEnds(files.ends, (error) => {
    damaged = true;
    events.warn(
      `${error instanceof Error ? error.message : String(error)}: when versions ended is taken from the store alone, so some are kept longer`,
    );
  });
  const going = changes ? new LineSpool(join(scratch, "removals")) : undefined;
  const remembered = changes ? new LineSpool(join(scratch, "ends")) : undefined;
  const ends = new EndsWalk(before, {
    write: (line) => remembered?.write(line),
    visits: range(world, deciding.options),
  });
  try {
    for await (const page of decide(world, { ...deciding, ends }))
      if (going !== undefined) for (const removals of page) spoolRemovals(going, removals);
  } finally {
    await ends.close();
    going?.close();
    remembered?.close();
  }
  return {
    remember: async (header) => {
      if (remembered === undefined || !(ends.changed || damaged)) return;
      await writeEnds(files.ends, header, remembered.file, ends.lines);
    },
    removals: () => readRemovals(join(scratch, "removals")),
  };
}
