import { rm } from "node:fs/promises";
import { DamagedManifest, readManifestHeader, type ManifestHeader } from "../manifest/manifest.ts";
import { together } from "../process/together.ts";
import { redactLocation } from "../rclone/location.ts";
import type { Stats } from "../rclone/log.ts";
import { acquireLock } from "../state/lock.ts";
import type { Conditions } from "../units/condition.ts";
import type { RawPath } from "../units/rawpath.ts";
import { check, type CheckRequest } from "../verify/check.ts";
import type { CheckVerdict } from "../verify/judge.ts";
import { choose, type Choice } from "./verify/choice.ts";
import { confirm, endsOf, type Confirmed } from "./verify/confirm.ts";
import { binding, rulesOf, writeRules } from "./filterfile.ts";
import { readMendList, writeMendList } from "./mendlist.ts";
import type { Session } from "./session.ts";
import type { Verification, VerifyOptions, VerifyResult } from "./verify/verification.ts";
import { lockFile, makeScratch, stateFiles, type StateFiles } from "./statefiles.ts";
import { progressOf } from "./statistics.ts";

/**
 * Reads chosen files back and compares them with the source. Every chosen file must be answered
 * for; a difference is confirmed by a second look before it is called one, and remembered so that
 * the next backup mends it.
 * Throws skipped while a backup of this destination runs.
 */
export async function verify(session: Session, options: VerifyOptions): Promise<VerifyResult> {
  const { world } = session;
  const lock = await acquireLock(await lockFile(session), {
    mode: "shared",
    command: `rclone-backup --verify ${session.backup.name}`,
    signal: world.signal,
    now: world.now,
  });
  let scratch: string | undefined;
  try {
    const files = await stateFiles(session);
    scratch = await makeScratch(files, false);
    return await verifyLocked({
      session: { ...session, rclone: { ...session.rclone, lock: lock.fd } },
      options,
      files,
      scratch,
      filterFile: await writeRules(scratch, "rules", await rulesOf(session)),
      kind: kindOf(session, options.conditions),
      manifest: await usableManifest(session, files),
    });
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
    await lock.release();
  }
}

/** Whether content is downloaded, or hashes compared: through crypt those are rclone's cryptcheck's to compute. */
function kindOf(session: Session, conditions: Conditions): CheckRequest["kind"] {
  if (!conditions.hash) return "download";
  const outermost = session.destinationPlace.layers.find((layer) => layer !== "alias");
  return outermost === "crypt" ? "hash" : "plain-hash";
}

async function usableManifest(
  session: Session,
  files: StateFiles,
): Promise<ManifestHeader | undefined> {
  try {
    const header = await readManifestHeader(files.manifest);
    // Other filters don't change what was backed up; another source does.
    const same =
      header?.binding === binding(session) ||
      header?.source === redactLocation(session.backup.source);
    return same ? header : undefined;
  } catch (error) {
    if (error instanceof DamagedManifest) return undefined;
    throw error;
  }
}

async function verifyLocked(work: Verification): Promise<VerifyResult> {
  const { session, options } = work;
  const { choice, verdict } = await compare(work);
  const base = {
    name: session.backup.name,
    seed: options.seed,
    pool: choice.pool,
    chosen: { files: choice.files, bytes: choice.bytes },
    dryRun: options.dryRun,
  };
  if (verdict === undefined) {
    return {
      ...base,
      verified: { files: 0, bytes: 0 },
      differences: [],
      errors: choice.unreadable,
      changed: [],
      outcome: choice.unreadable.length > 0 ? "partial" : "done",
    };
  }
  const confirmed = await confirm(work, verdict.findings);
  await remember(work, choice, confirmed);
  const { proved, differences, changed } = confirmed;
  const errors = [...choice.unreadable, ...confirmed.errors];
  return {
    ...base,
    verified: {
      files: verdict.verified.files + proved.files,
      bytes: verdict.verified.bytes + proved.bytes,
    },
    differences,
    errors,
    changed,
    outcome: differences.length > 0 ? "difference" : errors.length > 0 ? "partial" : "done",
  };
}

interface Compared {
  readonly choice: Choice;
  /** Undefined where nothing was compared. */
  readonly verdict: CheckVerdict | undefined;
}

/** Chooses and compares: one after the other, or at once where rclone needs no list of files. */
async function compare(work: Verification): Promise<Compared> {
  const { conditions, dryRun } = work.options;
  const { data, files, age } = conditions;
  if (!dryRun && data === undefined && files === undefined && age === undefined)
    return compareAll(work);
  const choice = await choose(work);
  if (dryRun || choice.files === 0) return { choice, verdict: undefined };
  const { list } = choice;
  const which = list === undefined ? { filterFile: work.filterFile } : { filesFrom: list };
  const onStats = (stats: Stats): void => tellProgress(work, stats, choice);
  const chosen = choice.entries();
  const verdict = await check({ ...endsOf(work), kind: work.kind, ...which, chosen, onStats });
  return { choice, verdict };
}

/** The listing says what must be answered for; with all of it to compare, that is needed at the end only. */
async function compareAll(work: Verification): Promise<Compared> {
  const stop = new AbortController();
  let known: Choice | undefined;
  const choosing = (async () => {
    try {
      return (known = await choose(work));
    } catch (error) {
      stop.abort();
      throw error;
    }
  })();
  const checking = check({
    ...endsOf(work),
    signal: AbortSignal.any([work.session.world.signal, stop.signal]),
    kind: work.kind,
    filterFile: work.filterFile,
    chosen: (async function* () {
      yield* (await choosing).entries();
    })(),
    onStats: (stats) => tellProgress(work, stats, known),
  });
  const [choice, verdict] = await together(choosing, checking);
  return { choice, verdict: choice.files === 0 ? undefined : verdict };
}

function tellProgress({ session }: Verification, stats: Stats, choice: Choice | undefined): void {
  session.world.events.progress(progressOf("verifying", stats, choice));
}

/** Keeps the list of files to mend: what was found different goes on it, what was proved comes off. */
async function remember(work: Verification, choice: Choice, confirmed: Confirmed): Promise<void> {
  const listed = new Set(await readMendList(work.files));
  if (listed.size === 0 && confirmed.differences.length === 0) return;
  const open = new Set([...confirmed.errors.map(({ path }) => path), ...confirmed.changed]);
  const off = new Set<RawPath>();
  for await (const page of choice.entries()) {
    for (const { path } of page) if (listed.has(path) && !open.has(path)) off.add(path);
  }
  // Read again: a verification beside this one may have ended meanwhile.
  const known = (await readMendList(work.files)).filter((path) => !off.has(path));
  await writeMendList(work.files, [...known, ...confirmed.differences.map(({ path }) => path)]);
}
