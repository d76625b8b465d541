import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { pseudoMounts } from "../../guard/mountinfo.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { listFiles } from "../../rclone/listing.ts";
import { archiveSpecials } from "../../specials/archive.ts";
import type { RawPath } from "../../units/rawpath.ts";
import { rulesOf, writeRules } from "../filterfile.ts";
import { warn, type Run } from "./run.ts";

/** Keeps special-files.tar.gz at the source's root up to date. What can't be archived is a warning. */
export async function archiveSpecialFiles(run: Run): Promise<void> {
  const { session } = run;
  if (!session.backup.archiveSpecials) return;
  if (session.localSource === undefined) {
    tellOnce(
      run,
      "special files: expected a source on this machine, found a remote one: devices, fifos and links in it are not archived (archive_specials = no says that this is meant)",
    );
    return;
  }
  const rules = await writeRules(
    run.scratch,
    "special.rules",
    await rulesOf(session, { archive: false }),
  );
  const shadowScratch = join(run.scratch, "specials");
  await mkdir(shadowScratch, { mode: 0o700 });
  const result = await archiveSpecials({
    source: session.localSource,
    linksAreSpecial: !session.tuning.copyLinks,
    scratch: shadowScratch,
    now: session.world.now(),
    listIncluded: (directory) => listIncluded(run, directory, rules),
    prune: await pseudoMounts(session.localSource),
    dryRun: run.options.dryRun,
    signal: session.world.signal,
  });
  session.world.events.detail(1, `special files: ${result.members} found, archive ${result.state}`);
  if (result.warning === undefined) return;
  if (result.state === "unwritable") tellOnce(run, result.warning);
  else warn(run, result.warning);
}

/** Asks rclone which files under a directory the rules let through. */
async function* listIncluded(
  run: Run,
  directory: string,
  filterFile: string,
): AsyncIterable<readonly RawPath[]> {
  const { session, scratch } = run;
  const listing = await listFiles(session.rclone, session.features, session.tuning, {
    location: directory,
    filterFile,
    output: join(scratch, "specials.listing"),
    scratch,
    signal: session.world.signal,
    what: "special files",
  });
  for await (const page of readListing(listing.file)) yield page.map(({ path }) => path);
}

/** A warning that would come every night is told the first night and then only shown in the status. */
function tellOnce(run: Run, text: string): void {
  if (run.record?.told.includes(text) === true) {
    run.session.world.events.detail(1, text);
    run.told.push(text);
    return;
  }
  run.told.push(text);
  warn(run, text);
}
