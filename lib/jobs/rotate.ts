import { rename, rm } from "node:fs/promises";
import type { Outcome } from "../errors.ts";
import { chainsOf, type Chain } from "../physical/chains.ts";
import { checkClock } from "../physical/clock.ts";
import type { Backup } from "../physical/look.ts";
import { writeManifest, type Manifest } from "../physical/manifest.ts";
import {
  planRotation,
  type Removal,
  type RotationPlan,
  type RotationRules,
} from "../physical/plan.ts";
import { findBackupProgram, programEnvironment, UnfitBackup } from "../physical/program.ts";
import type { TestRule } from "../physical/testrule.ts";
import { syncDirectory } from "../state/atomic.ts";
import { makeBackup, type Making } from "./rotate/make.ts";
import {
  backupsOf,
  findPlace,
  lockPlace,
  optionFile,
  type Place,
  type RotateWorld,
} from "./rotate/place.ts";

export interface RotateOptions {
  /** Where the backups are, and nothing else is. */
  readonly directory: string;
  readonly rules: RotationRules;
  readonly test: TestRule;
  /** Makes a full backup, whatever the rules say. */
  readonly full: boolean;
  readonly program: string | undefined;
  readonly defaultsFile: string | undefined;
  /** Goes on though the clock is not to be believed. */
  readonly allowClock: boolean;
  readonly dryRun: boolean;
}

export interface RotateResult {
  readonly outcome: Outcome;
  readonly directory: string;
  readonly dryRun: boolean;
  readonly plan: RotationPlan;
  /** The new backup; undefined in a dry run. */
  readonly made: Manifest | undefined;
  /** Names of the backups that were removed. */
  readonly removed: readonly string[];
  /** What was found wrong with older backups, and is told this once. */
  readonly problems: readonly string[];
}

/**
 * Makes the next backup: full or incremental by rule. It is prepared from a copy before it gets its
 * name, and only then chains that the rules no longer keep are removed. Outcome partial: the new backup
 * is good, but older ones were found damaged or could not be removed.
 * Throws refused for a directory that holds anything else, or a clock that can't be believed; failed
 * where no good backup could be made. Nothing was removed then.
 */
export async function rotate(options: RotateOptions, world: RotateWorld): Promise<RotateResult> {
  const place = await findPlace(options.directory, world.cwd);
  if (!options.dryRun) await place.make();
  const lock = await lockPlace(place, options.dryRun ? "shared" : "exclusive", world);
  try {
    return await new Rotation(options, world, place, lock?.fd).run();
  } finally {
    await lock?.release();
  }
}

class Rotation {
  readonly #options: RotateOptions;
  readonly #world: RotateWorld;
  readonly #place: Place;
  readonly #lock: number | undefined;
  readonly #problems: string[] = [];

  constructor(options: RotateOptions, world: RotateWorld, place: Place, lock: number | undefined) {
    this.#options = options;
    this.#world = world;
    this.#place = place;
    this.#lock = lock;
  }

  async run(): Promise<RotateResult> {
    const { rules, dryRun, allowClock } = this.#options;
    const { signal, now } = this.#world;
    const backups = await backupsOf(this.#place, signal);
    if (!allowClock) checkClock(now(), backups.at(-1));
    const making = await this.#preparations(backups);
    const wishes = {
      full: this.#options.full ? "it was asked for" : undefined,
      program: making.program.version,
    };
    const chains = chainsOf(backups);
    const plan = planRotation(chains, rules, wishes);
    if (dryRun) {
      for (const chain of chains) this.#tellNew(chain);
      return this.#result(plan, undefined, []);
    }
    await this.#place.clean();
    for (const chain of chains) await this.#writeDown(this.#tellNew(chain));
    const [done, made] = await this.#make(plan, making, chains, wishes.program);
    return this.#result(done, made, await this.#remove(done.remove));
  }

  async #preparations(backups: readonly Backup[]): Promise<Making> {
    const { program, test } = this.#options;
    const defaultsFile = await optionFile(this.#options.defaultsFile, this.#world);
    const { env, signal, events, now } = this.#world;
    const world = { env: programEnvironment(env), signal, events, lock: this.#lock };
    const found = await findBackupProgram(program, defaultsFile, world);
    return { place: this.#place, program: found, test, backups, world, now };
  }

  /** As planned, or a full one where an incremental one turned out to be no good. */
  async #make(
    plan: RotationPlan,
    making: Making,
    chains: readonly Chain[],
    program: string,
  ): Promise<readonly [RotationPlan, Manifest]> {
    try {
      return [plan, await makeBackup(plan.make, making)];
    } catch (error) {
      if (!(error instanceof UnfitBackup) || plan.make.kind === "full") throw error;
      const { base } = plan.make;
      const full = `an incremental one on ${base.name} is no good: ${error.message}`;
      this.#world.events.warn(`${full}; a full one is made instead`);
      const isBroken = error.blames === "chain";
      const broken = isBroken
        ? { at: this.#world.now().toISOString(), reason: error.message }
        : null;
      if (broken !== null) {
        await this.#writeDown([{ ...base, broken }]);
        this.#problems.push(full);
      }
      const marked = chains
        .flatMap(({ backups }) => backups)
        .map((each) => (each === base ? { ...each, broken } : each));
      const again = planRotation(chainsOf(marked), this.#options.rules, { full, program });
      return [again, await makeBackup(again.make, making)];
    }
  }

  /** Tells what was found wrong with a chain for the first time, and returns the backups to mark. */
  #tellNew({ problems }: Chain): readonly Backup[] {
    return problems
      .filter(({ isNew }) => isNew)
      .map(({ backup, reason }) => {
        this.#problems.push(`${backup.name} can't be restored: ${reason}`);
        this.#world.events.warn(this.#problems.at(-1) ?? "");
        return { ...backup, broken: { at: this.#world.now().toISOString(), reason } };
      });
  }

  async #writeDown(marked: readonly Backup[]): Promise<void> {
    for (const { bytes: _, damage: __, ...manifest } of marked)
      await writeManifest(this.#place.of(manifest.name), manifest);
  }

  /** Whole chains, each from its end: what is left of one when this is killed can be restored. */
  async #remove(removals: readonly Removal[]): Promise<readonly string[]> {
    const removed: string[] = [];
    for (const { name } of removals.flatMap(({ chain }) => chain.backups.toReversed())) {
      this.#world.signal.throwIfAborted();
      try {
        await rename(this.#place.of(name), this.#place.goneOf(name));
        await syncDirectory(this.#place.directory);
        await rm(this.#place.goneOf(name), { recursive: true });
        removed.push(name);
      } catch (error) {
        this.#problems.push(`${name} can't be removed: ${String(error)}`);
        this.#world.events.warn(this.#problems.at(-1) ?? "");
        break;
      }
    }
    return removed;
  }

  #result(
    plan: RotationPlan,
    made: Manifest | undefined,
    removed: readonly string[],
  ): RotateResult {
    return {
      outcome: this.#problems.length === 0 ? "done" : "partial",
      directory: this.#place.directory,
      dryRun: this.#options.dryRun,
      plan,
      made,
      removed,
      problems: this.#problems,
    };
  }
}
