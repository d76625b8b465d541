import { rm } from "node:fs/promises";
import { DamagedManifest, readManifestHeader } from "../manifest/manifest.ts";
import { together } from "../process/together.ts";
import { redactLocation } from "../rclone/location.ts";
import type { Stats } from "../rclone/log.ts";
import { acquireLock } from "../state/lock.ts";
import { readRecord } from "../state/record.ts";
import type { Conditions } from "../units/condition.ts";
import { check, type CheckRequest } from "../verify/check.ts";
import type { CheckVerdict } from "../verify/judge.ts";
import { choose, type Choice } from "./verify/choice.ts";
import { confirm, endsOf } from "./verify/confirm.ts";
import { chooseByLedger, spentOn, type Next } from "./verify/next.ts";
import { readRanges } from "./verify/ranges.ts";
import { remember } from "./verify/remember.ts";
import { binding, rulesOf, writeRules } from "./filterfile.ts";
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
      ...(await usableManifest(session, files)),
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
): Promise<Pick<Verification, "manifest" | "trusted">> {
  try {
    const header = await readManifestHeader(files.manifest);
    const bound = header?.binding === binding(session);
    // Other filters don't change what was backed up; another source does.
    const same = bound || header?.source === redactLocation(session.backup.source);
    return { manifest: same ? header : undefined, trusted: bound && (await isTrusted(files)) };
  } catch (error) {
    if (error instanceof DamagedManifest) return { manifest: undefined, trusted: false };
    throw error;
  }
}

async function isTrusted({ record: file }: StateFiles): Promise<boolean> {
  const { record } = await readRecord(file, { setAside: false });
  return record !== undefined && record.trusted && record.running === undefined;
}

async function verifyLocked(work: Verification): Promise<VerifyResult> {
  const { session, options } = work;
  const { choice, next, verdict } = await compare(work);
  const confirmed = await confirm(work, verdict?.findings ?? []);
  const read = await readRanges(work, options.dryRun ? [] : (next?.ranges ?? []));
  const differences = [...confirmed.differences, ...read.differences];
  const errors = [...choice.unreadable, ...confirmed.errors, ...read.errors];
  const changed = [...confirmed.changed, ...read.changed];
  const found = { differences, errors, changed };
  const looked = [...(verdict?.findings ?? []), ...read.secondLooks];
  const coverage = options.dryRun
    ? undefined
    : await remember(work, { choice, next, read, ...found });
  return {
    name: session.backup.name,
    seed: options.seed,
    pool: choice.pool,
    chosen: { files: choice.files, bytes: choice.bytes },
    dryRun: options.dryRun,
    verified: {
      files: (verdict?.verified.files ?? 0) + confirmed.proved.files + read.files,
      bytes: (verdict?.verified.bytes ?? 0) + confirmed.proved.bytes + read.bytes,
    },
    ...found,
    gone: choice.gone,
    outcome:
      differences.length > 0
        ? "difference"
        : errors.length > 0 || choice.gone?.suspicious === true
          ? "partial"
          : "done",
    next: next && {
      spent: spentOn(next, options.dryRun ? undefined : looked),
      ranges: next.ranges.map(({ entry, offset, bytes }) => ({
        ...{ path: entry.path, offset, bytes, size: entry.size },
      })),
      coverage,
    },
  };
}

interface Compared {
  readonly choice: Choice;
  /** The choice, where it was made by the ledger. */
  readonly next?: Next | undefined;
  /** Undefined where nothing was compared. */
  readonly verdict: CheckVerdict | undefined;
}

/** Chooses and compares: one after the other, or at once where rclone needs no list of files. */
async function compare(work: Verification): Promise<Compared> {
  const { conditions, dryRun, next: budget } = work.options;
  const { data, files, age } = conditions;
  if (budget !== undefined) {
    const next = await chooseByLedger(work, budget);
    return { choice: next, next, verdict: await compareChosen(work, next) };
  }
  if (!dryRun && data === undefined && files === undefined && age === undefined)
    return compareAll(work);
  const choice = await choose(work);
  return { choice, verdict: await compareChosen(work, choice) };
}

/** Undefined where there is nothing to compare. */
async function compareChosen(
  work: Verification,
  choice: Choice,
): Promise<CheckVerdict | undefined> {
  if (work.options.dryRun || choice.wholeFiles === 0) return undefined;
  const { list } = choice;
  const which = list === undefined ? { filterFile: work.filterFile } : { filesFrom: list };
  const onStats = (stats: Stats): void => tellProgress(work, stats, choice);
  const chosen = choice.entries();
  return check({ ...endsOf(work), kind: work.kind, ...which, chosen, onStats });
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
