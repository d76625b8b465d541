import { join } from "node:path";
import type { FoundConfig } from "../../config/all.ts";
import { exitCodes, type Failure } from "../../errors.ts";
import { readSuite, writeSuite, type Attempt, type SuiteRecord } from "../../suite/record.ts";
import { parseRunId } from "../../units/runid.ts";
import { readCoverage } from "../../verify/coverage.ts";
import type { World } from "../session.ts";
import { stateFinder } from "../status/match.ts";
import { keptStates, type KeptState } from "../status/states.ts";
import { Keeper } from "./keeper.ts";
import type { NightBackup, NightResult, NightVerification } from "./night.ts";
import type { LastTry } from "./sharers.ts";

/** Attempts of configurations that are gone are forgotten after so long. */
const forgetAfter = 100 * 86_400_000;

/** Without a schedule, what is skipped again so soon is the same run, tried once more. */
const halfDay = 43_200_000;

/** What a night writes down of its backups, in suite.json, as they end. */
export class Book {
  readonly #find: (config: FoundConfig) => KeptState | undefined;
  readonly #keeper: Keeper;
  #suite: SuiteRecord;
  /** Why it is not written down; a later write makes up for all before it. */
  problem: Failure | undefined;

  private constructor(
    root: string,
    suite: SuiteRecord,
    find: (config: FoundConfig) => KeptState | undefined,
  ) {
    this.#keeper = new Keeper(async () => writeSuite(fileIn(root), this.#suite));
    this.#suite = suite;
    this.#find = find;
  }

  /** Reads what earlier nights wrote; a damaged file is told, and set aside if the caller may change anything. */
  static async open(
    root: string,
    configs: readonly FoundConfig[],
    { events, now }: Pick<World, "events" | "now">,
    options: { readonly setAside: boolean },
  ): Promise<Book> {
    const { suite, damaged } = await readSuite(fileIn(root), options);
    if (damaged !== undefined)
      events.warn(
        `state: expected JSON, found a damaged file; it is ${options.setAside ? "kept as " : ""}${damaged}, and when backups ran last is taken from each one's own`,
      );
    const present = new Set(configs.map(({ file }) => file));
    const kept = Object.entries(suite.backups).filter(
      ([file, { attemptedAt }]) =>
        present.has(file) || now().getTime() - Date.parse(attemptedAt) < forgetAfter,
    );
    const known = { ...suite, backups: Object.fromEntries(kept) };
    return new Book(root, known, stateFinder(keptStates(root), configs));
  }

  /** When a backup was started last, by a night or by hand; not one that was skipped or interrupted. */
  readonly lastStart = (config: FoundConfig): Date | undefined => {
    const { last, good } = this.#find(config)?.record ?? {};
    const counts = last?.result !== "skipped" && last?.exitCode !== exitCodes.interrupted;
    const times = [
      this.#suite.backups[config.file]?.startedAt,
      counts ? last?.startedAt : undefined,
    ].flatMap((time) => (time === undefined ? [] : [Date.parse(time)]));
    if (times.length > 0) return new Date(Math.max(...times));
    const goodStart = good === undefined ? undefined : parseRunId(good.run)?.startedAt;
    return goodStart === undefined ? undefined : new Date(goodStart);
  };

  /** The scheduled time that a backup was skipped for last, if it was. */
  skippedFor({ file }: FoundConfig): string | undefined {
    const { skippedRuns = 0, skippedFor } = this.#suite.backups[file] ?? {};
    return skippedRuns === 0 ? undefined : skippedFor;
  }

  /** When `run` tried a backup last, and whether that was skipped; undefined: never. */
  readonly lastTry = ({ file }: FoundConfig): LastTry | undefined => {
    const attempt = this.#suite.backups[file];
    if (attempt === undefined) return undefined;
    return { at: new Date(attempt.attemptedAt), skipped: attempt.outcome === "skipped" };
  };

  /** When all checksums of a backup were compared last; undefined: never. */
  async hashedAt(config: FoundConfig): Promise<Date | undefined> {
    const state = this.#find(config);
    if (state === undefined) return undefined;
    const coverage = await readCoverage(join(state.directory, "coverage.json"));
    return coverage?.hash === undefined ? undefined : new Date(coverage.hash.at);
  }

  /** Writes down how a backup ended, which was run for a scheduled time if it has one. Never throws. */
  async keep(backup: NightBackup, scheduled?: string): Promise<void> {
    const before = this.#suite.backups[backup.file];
    this.#suite = {
      ...this.#suite,
      backups: { ...this.#suite.backups, [backup.file]: attemptOf(backup, before, scheduled) },
    };
    this.problem = await this.#keeper.keep();
  }

  /** Writes down how the whole ended. Never throws. */
  async close({ startedAt, finishedAt, outcome, backups, message }: NightResult): Promise<void> {
    // A night in which nothing was due says nothing of how the last one went.
    if (backups.length === 0 && message === undefined) return;
    this.#suite = { ...this.#suite, run: { startedAt, finishedAt, outcome } };
    this.problem = await this.#keeper.keep();
  }
}

function fileIn(root: string): string {
  return join(root, "suite", "suite.json");
}

/** What is remembered of a backup that ended so, and of what came before. */
export function attemptOf(
  { name, startedAt, outcome, message, verifications }: NightBackup,
  before: Attempt | undefined,
  scheduled: string | undefined,
): Attempt {
  const skipped = outcome === "skipped";
  const verified = verifiedAfter(verifications, before?.verified);
  const started = skipped || outcome === "interrupted" ? before?.startedAt : startedAt;
  return {
    name,
    firstAt: before?.firstAt ?? before?.attemptedAt ?? startedAt,
    attemptedAt: startedAt,
    ...(started === undefined ? {} : { startedAt: started }),
    outcome,
    ...(message === undefined ? {} : { message }),
    ...(verified === undefined ? {} : { verified }),
    ...(skipped ? skipOf(before, scheduled, startedAt) : { skippedRuns: 0 }),
  };
}

/** Of each kind the last one that was let begin, and to its end. */
function verifiedAfter(
  verifications: readonly NightVerification[],
  before: Attempt["verified"],
): Attempt["verified"] {
  return verifications
    .filter(({ outcome }) => outcome !== "skipped" && outcome !== "interrupted")
    .reduce<Attempt["verified"]>(
      (verified, { kind, finishedAt: at, outcome, message }) => ({
        ...verified,
        [kind]: { at, outcome, ...(message === undefined ? {} : { message }) },
      }),
      before,
    );
}

/** One that a timer tries every quarter of an hour is skipped once for each of its times. */
function skipOf(
  before: Attempt | undefined,
  scheduled: string | undefined,
  at: string,
): Pick<Attempt, "skippedRuns" | "skippedFor"> {
  const { skippedRuns = 0, skippedFor } = before ?? {};
  const isCounted =
    skippedRuns > 0 &&
    skippedFor !== undefined &&
    (scheduled === undefined
      ? Math.abs(Date.parse(at) - Date.parse(skippedFor)) < halfDay
      : skippedFor === scheduled);
  if (isCounted) return { skippedRuns, skippedFor };
  return { skippedRuns: skippedRuns + 1, skippedFor: scheduled ?? at };
}
