import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { realpathOrSame, siblingConfigs } from "../../config/find.ts";
import { type Failure, usage } from "../../errors.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { listFiles } from "../../rclone/listing.ts";
import { overlap, type Overlap, type Place } from "../../rclone/resolve.ts";
import { rulesOf, writeRules } from "../filterfile.ts";
import { placesOf, type Owned } from "./others.ts";
import { recordedBackups } from "./recorded.ts";
import type { HistoryPlace } from "../history.ts";
import type { Session } from "../session.ts";

/**
 * Refuses settings under which a backup would eat itself or another: a destination inside its
 * source (it would grow by itself every night) unless the filters leave it out, a source inside its
 * destination, and two configurations with equal or nested destinations.
 * Throws a usage failure.
 */
export async function refuseOverlaps(
  session: Session,
  history: HistoryPlace | undefined,
): Promise<void> {
  await refuseOwnOverlap(session, "destination", session.destinationPlace);
  if (history !== undefined) await refuseOwnOverlap(session, "history", history.place);
  await refuseShared(session, history);
}

async function refuseOwnOverlap(
  session: Session,
  what: "destination" | "history",
  destination: Place,
): Promise<void> {
  const { sourcePlace: source, backup } = session;
  switch (overlap(source, destination)) {
    case "none":
      return;
    case "equal":
      throw usage(`${what}: expected another place than the source, found the same`, {
        hint: `check destination in ${backup.file}`,
      });
    case "first-inside-second":
      throw usage(
        `source: expected a place outside the ${what}, found it inside: ${what === "history" ? "old versions would lie around it" : "the sync would delete what lies beside it, and then itself"}`,
        {
          hint: `check source and destination in ${backup.file}`,
        },
      );
    case "second-inside-first": {
      const inside = destination.segments.slice(source.segments.length);
      if (await filteredOut(session, inside)) return;
      const path = `/${inside.filter((segment) => !/^[0-9a-f]{16}:/.test(segment)).join("/")}`;
      throw usage(
        `${what}: expected a place outside the source, found it inside, at ${path}: the backup would back itself up and grow every night`,
        {
          hint: `choose another ${what === "history" ? "dir in [history]" : "destination"}, or leave it out with this line in [filters]: - ${path === "/" ? "/" : `${path}/`}**`,
        },
      );
    }
  }
}

/** A name that no rule is about. */
const probeName = "q0m4r8t2v6";

/** Asks rclone's own filters, by a tree that has files where the destination is. */
async function filteredOut(session: Session, inside: readonly string[]): Promise<boolean> {
  const scratch = await mkdtemp(join(tmpdir(), "rclone-backups-"));
  try {
    const tree = join(scratch, "tree");
    const place = join(tree, ...inside.map((segment) => segment.replace(/^[0-9a-f]{16}:/, "")));
    // A rule such as "- /backup/*" leaves out the files right in it and none that lie deeper.
    for (const probe of [join(place, probeName), join(place, probeName, probeName, probeName)]) {
      await mkdir(dirname(probe), { recursive: true });
      await writeFile(`${probe}.${probeName}`, "");
    }
    const listing = await listFiles(session.rclone, session.features, session.tuning, {
      location: tree,
      filterFile: await writeRules(scratch, "rules", await rulesOf(session)),
      output: join(scratch, "listing"),
      scratch,
      signal: session.world.signal,
      what: "filters",
    });
    for await (const page of readListing(listing.file)) if (page.length > 0) return false;
    return true;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/**
 * Refuses two configurations of which one would take the files of the other for its own: neither's
 * destination nor old versions may lie in or around the other's. Throws a usage failure.
 */
export async function refuseShared(
  session: Session,
  history: HistoryPlace | undefined,
): Promise<void> {
  const { backup, destinationPlace } = session;
  const own = await realpathOrSame(backup.file);
  const candidates = new Set([
    ...(await siblingConfigs(backup.file)),
    // Configurations elsewhere that ran with the same state directory.
    ...(await recordedBackups(session)).map(({ config }) => config),
  ]);
  const others: string[] = [];
  // A link to this configuration is this configuration.
  for (const file of candidates) if ((await realpathOrSame(file)) !== own) others.push(file);
  const ours: Owned[] = [{ what: "destination", place: destinationPlace }];
  if (history !== undefined) ours.unshift({ what: "history", place: history.place });
  for await (const { file, owned } of placesOf(session, others))
    for (const theirs of owned)
      for (const mine of ours) {
        const found = overlap(mine.place, theirs.place);
        if (found !== "none") throw shared(mine.what, theirs.what, found, session, file);
      }
}

function shared(
  mine: Owned["what"],
  theirs: Owned["what"],
  found: Overlap,
  { backup }: Session,
  other: string,
): Failure {
  const where = found === "equal" ? "is also" : "lies in or around";
  const whose = theirs === "destination" ? "destination" : "directory of old versions";
  const harm = {
    destination: {
      destination: "each backup would delete the other's files",
      history: "this backup would delete them",
    },
    history: {
      destination: "the other backup would delete these",
      history: "each would take the other's old versions for its own and remove them",
    },
  }[mine][theirs];
  const key = { destination: "destination", history: "dir in [history]" };
  return usage(
    `${mine}: expected a place of its own, found one that ${where} the ${whose} of ${other}: ${harm}`,
    { hint: `change ${key[mine]} in ${backup.file}, or ${key[theirs]} in ${other}` },
  );
}
