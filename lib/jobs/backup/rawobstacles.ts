import { readListing } from "../../manifest/listingfile.ts";
import type { Obstacle } from "../../manifest/obstacles.ts";
import { merge, type Pages } from "../../manifest/pages.ts";
import { childrenRules } from "../../rclone/exact.ts";
import type { Listing } from "../../rclone/listing.ts";
import { listPlace } from "../../stores/dir/listplace.ts";
import { asGoWrites, rawFromBytes, textFromRaw, type RawPath } from "../../units/rawpath.ts";
import { writeRules } from "../filterfile.ts";
import { isMisspelled } from "./misspelled.ts";
import { listContext, type Run } from "./run.ts";

/**
 * Obstacles that a dry run told, by the names that they have: of one that its log can't spell, all files at the
 * destination that look like it and are not in the source. Throws when the destination can't be listed.
 */
export async function* rawObstacles(
  run: Run,
  listing: Listing,
  found: Pages<Obstacle>,
): Pages<Obstacle> {
  const open = new Map<string, Obstacle>();
  for await (const page of found) {
    for (const one of page) {
      const text = textFromRaw(one.path);
      if (isMisspelled(text)) open.set(text, one);
    }
    yield page.filter(({ path }) => !isMisspelled(textFromRaw(path)));
  }
  if (open.size === 0) return;
  const rules = childrenRules([...open.values()].map(({ path }) => path));
  const filterFile = await writeRules(run.scratch, "obstacles.rules", rules);
  const there = await listPlace(listContext(run), "obstacles", run.session.destination, {
    filterFile,
    what: "destination",
  });
  for await (const page of merge(there(), readListing(listing.file)))
    yield page.flatMap(([held, listed]) => {
      if (held === undefined || listed !== undefined) return [];
      const meant = open.get(asGoWrites(held.path));
      if (meant === undefined) return [];
      const { path } = held;
      return [{ path, directory: meant.directory && startOf(path, meant.directory) }];
    });
}

/** The directory of a path that is as deep as another. */
function startOf(path: RawPath, other: RawPath): RawPath {
  const depth = other.split("/").length;
  return rawFromBytes(path.split("/").slice(0, depth).join("/"));
}
