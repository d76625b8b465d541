import { createHash } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { archiveName } from "../guard/plan.ts";
import { writeScratch } from "../process/scratchfile.ts";
import { effectiveRules, rulesText } from "../rclone/filters.ts";
import type { Session } from "./session.ts";
import { ownStateInSource } from "./statefiles.ts";

/**
 * The rules that apply now. That of the archive stands only where there is an archive, that of our
 * own state only where the source holds it.
 */
export async function rulesOf(
  session: Session,
  options: { testFilters?: boolean; archive?: boolean } = {},
): Promise<readonly string[]> {
  return effectiveRules({
    ownState: ownStateInSource(session),
    filters: session.backup.filters,
    ...(options.testFilters === true ? { testFilters: session.backup.testFilters } : {}),
    archive: options.archive ?? (await hasArchive(session)),
  });
}

async function hasArchive(session: Session): Promise<boolean> {
  if (session.localSource === undefined || !session.backup.archiveSpecials) return false;
  try {
    await access(join(session.localSource, archiveName));
    return true;
  } catch {
    return false;
  }
}

/** Writes rules for --filter-from and returns the file's path. */
export async function writeRules(
  directory: string,
  name: string,
  rules: readonly string[],
): Promise<string> {
  const file = join(directory, name);
  await writeScratch(file, rulesText(rules));
  return file;
}

/**
 * Digest of everything that says what belongs in the destination. A manifest of other settings
 * does not say what a sync under these would find.
 */
export function binding(session: Session): string {
  const settings = {
    source: session.sourcePlace,
    destination: session.destinationPlace,
    filters: session.backup.filters,
    // JSON has no undefined: where the rule does not apply, nothing of it is in the digest.
    ownState: ownStateInSource(session),
    copyLinks: session.tuning.copyLinks,
    flags: session.tuning.flags,
  };
  return createHash("sha256").update(JSON.stringify(settings)).digest("hex");
}
