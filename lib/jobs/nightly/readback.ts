import pMap from "p-map";
import type { FoundConfig } from "../../config/all.ts";
import type { Failure } from "../../errors.ts";
import type { Settings } from "../../suite/settings.ts";
import type { World } from "../session.ts";
import { demandOf, withAllConfigured } from "../status/demand.ts";
import { stateFinder } from "../status/match.ts";
import { keptStates } from "../status/states.ts";
import type { Book } from "./book.ts";
import { isHashDue } from "./hashdue.ts";
import type { NightBackup, NightOptions, NightResult, NightVerification } from "./night.ts";
import { Purse } from "./purse.ts";
import { turnOf, type Sharer } from "./sharers.ts";
import { verifyHashes, verifyWithin } from "./verifying.ts";

interface ReadBackWork {
  readonly options: NightOptions;
  readonly world: World;
  readonly settings: Settings;
  /** Of this run, or of all backups where none is named. */
  readonly configs: readonly FoundConfig[];
  readonly root: string;
  readonly book: Book;
}

interface ReadBack {
  readonly backups: NightBackup[];
  readonly verification: NightResult["verification"];
  /** Why not all that the budget allows was read back. */
  readonly problem: Failure | undefined;
}

/**
 * Reads back, of the backups that went well tonight, what the day's budget allows, and compares all checksums
 * of those whose time for it has come. Returns the backups with what came of it.
 */
export async function readBack(
  work: ReadBackWork,
  wanted: readonly FoundConfig[],
  backups: readonly NightBackup[],
): Promise<ReadBack> {
  const { options, world, settings, root, book } = work;
  const purse = await Purse.open(settings, root, world);
  const found = new Map<string, NightVerification[]>();
  const add = ({ file }: FoundConfig, verification: NightVerification): void =>
    void found.set(file, [...(found.get(file) ?? []), verification]);
  const sharers = await sharersOf(work, wanted, backups, purse);
  const candidates = sharers.filter(({ turn }) => turn === "now");
  const jobs = options.jobs ?? settings.jobs;
  const children = { ...world, jobs };

  const due: FoundConfig[] = [];
  for (const { config } of candidates) {
    const every = config.loaded?.backup.verify.hashEverySeconds;
    if (every === undefined) continue;
    const doneAt = await book.hashedAt(config);
    const triedAt = purse.hashTriedAt(config.file);
    if (isHashDue(every, { doneAt, triedAt }, world.now())) due.push(config);
  }
  if (due.length > 0) options.onStatus("comparing checksums");
  await pMap(
    due,
    async (config) => {
      if (world.signal.aborted) return;
      const before = purse.hashTriedAt(config.file);
      await purse.tryHash(config.file, world.now().toISOString());
      const verification = await verifyHashes(config, options, children);
      // One that was not let begin, or to its end, is none.
      if (verification.outcome === "skipped" || verification.outcome === "interrupted")
        await purse.tryHash(config.file, before);
      add(config, verification);
    },
    { concurrency: jobs },
  );

  const spentBefore = purse.spent;
  const wanting = candidates.some(({ config, rest }) => demandOf(config, rest).bytes > 0);
  if (wanting && purse.bytes > spentBefore) {
    options.onStatus("reading back");
    await verifyWithin(purse, sharers, options, children, add);
  }

  const verified = backups.map((backup) => ({
    ...backup,
    verifications: found.get(backup.file) ?? [],
  }));
  // None of them was skipped, so it does not matter for which time it ran.
  for (const backup of verified)
    if (backup.verifications.length > 0) await book.keep(backup, undefined);
  return {
    backups: verified,
    verification: { budget: purse.bytes, spentBefore, spent: purse.spent },
    problem: purse.problem,
  };
}

/** All backups that share the day's budget, those of other runs too. */
async function sharersOf(
  { options, world, settings, configs, root, book }: ReadBackWork,
  wanted: readonly FoundConfig[],
  backups: readonly NightBackup[],
  purse: Purse,
): Promise<Sharer[]> {
  const { names, configDir, set, due } = options;
  const env = { ...world.env };
  const all =
    names.length === 0
      ? configs
      : await withAllConfigured(wanted, { configDir, env, set, leaveSecrets: true });
  purse.retain(all.map(({ file }) => file));
  const find = stateFinder(keptStates(root), all);
  const byFile = new Map(backups.map((backup) => [backup.file, backup]));
  const { nextTime } = await import("../../schedule/times.ts");
  const now = world.now();
  const { lastTry } = book;
  const turns = { backups: byFile, due, lastTry, nextTime, verifyDay: settings.verifyDay, now };
  return all.map((config) => ({
    config,
    // Where a run left no counts, its record has those of the last good one.
    rest: byFile.get(config.file)?.counts?.source ?? find(config)?.record?.good ?? empty,
    turn: turnOf(config, purse, turns),
  }));
}

const empty = { files: 0, bytes: 0 };
