import { join } from "node:path";
import type { Failure } from "../../errors.ts";
import { dayIn } from "../../suite/budget.ts";
import { readSpent, writeSpent, type Spent, type SpentOnBackup } from "../../suite/spent.ts";
import type { Settings } from "../../suite/settings.ts";
import type { World } from "../session.ts";
import { Keeper } from "./keeper.ts";

/** What something costs, or may. */
export type Cost = Pick<Spent, "bytes" | "transactions">;

/** What a day may cost, and what it did so far, each backup by the path of its configuration: budget.json. */
export class Purse {
  /** Bytes a day. */
  readonly bytes: number;
  /** Requests a day; undefined where they don't count. */
  readonly transactions: number | undefined;
  readonly #keeper: Keeper;
  #spent: Spent;
  /** Why nothing more is spent: it could not be written down. */
  problem: Failure | undefined;

  private constructor(file: string, spent: Spent, settings: Settings) {
    this.bytes = settings.verifyBudget;
    this.transactions = settings.verifyTransactions;
    this.#spent = spent;
    this.#keeper = new Keeper(async () => writeSpent(file, this.#spent));
  }

  /** Reads what the day cost so far; a damaged file is set aside and told. */
  static async open(
    settings: Settings,
    root: string,
    { now, events }: Pick<World, "now" | "events">,
  ): Promise<Purse> {
    const file = join(root, "suite", "budget.json");
    const { spent, damaged } = await readSpent(file, dayIn(settings.verifyDay, now()));
    if (damaged !== undefined)
      events.warn(
        `verification: expected JSON, found a damaged file; it is kept as ${damaged}, and what was read back today is not known`,
      );
    return new Purse(file, spent, settings);
  }

  /** The day that it pays for. */
  get day(): string {
    return this.#spent.day;
  }

  /** Bytes of the day so far. */
  get spent(): number {
    return this.#spent.bytes;
  }

  /** Requests that are left of the day; undefined where they don't count. */
  get transactionsLeft(): number | undefined {
    if (this.transactions === undefined) return undefined;
    return Math.max(this.transactions - this.#spent.transactions, 0);
  }

  /** What a backup cost today. */
  spentOn(backup: string): Cost {
    const { day, bytes, transactions } = this.#of(backup);
    return day === this.day ? { bytes, transactions } : { bytes: 0, transactions: 0 };
  }

  /** The day on which a backup last was given something; empty: never, or nobody knows. */
  lastDay(backup: string): string {
    const { day = "" } = this.#of(backup);
    // One that is still to come was written by a clock that was wrong.
    return day > this.day ? "" : day;
  }

  /** When a comparison of all checksums of a backup was last begun. */
  hashTriedAt(backup: string): string | undefined {
    return this.#of(backup).hashTriedAt;
  }

  /** Remembers when a comparison of all checksums began; undefined: there was none. */
  async tryHash(backup: string, hashTriedAt: string | undefined): Promise<void> {
    await this.#keep({}, backup, { ...this.#of(backup), hashTriedAt });
  }

  /** Forgets all backups but these. */
  retain(backups: readonly string[]): void {
    const here = new Set(backups);
    const kept = Object.entries(this.#spent.backups).filter(
      ([backup, { day }]) => here.has(backup) || day === this.day,
    );
    this.#spent = { ...this.#spent, backups: Object.fromEntries(kept) };
  }

  /**
   * Counts a share as spent before it is used, so that a run that is killed never reads twice for one day.
   * False where that could not be written: then it must not be used.
   */
  async reserve(backup: string, cost: Cost): Promise<boolean> {
    if (this.problem !== undefined) return false;
    await this.#add(backup, cost);
    return this.problem === undefined;
  }

  /** Counts what a reserved share really cost. */
  async settle(backup: string, reserved: Cost, cost: Cost): Promise<void> {
    await this.#add(backup, {
      bytes: cost.bytes - reserved.bytes,
      transactions: cost.transactions - reserved.transactions,
    });
  }

  async #add(backup: string, cost: Cost): Promise<void> {
    const one = { ...this.#of(backup), ...sum(this.spentOn(backup), cost), day: this.day };
    await this.#keep(sum(this.#spent, cost), backup, one);
  }

  #of(backup: string): SpentOnBackup {
    return this.#spent.backups[backup] ?? { bytes: 0, transactions: 0 };
  }

  async #keep(whole: Partial<Cost>, backup: string, one: SpentOnBackup): Promise<void> {
    const backups = { ...this.#spent.backups, [backup]: one };
    this.#spent = { ...this.#spent, ...whole, backups };
    this.problem = (await this.#keeper.keep()) ?? this.problem;
  }
}

function sum(a: Cost, b: Cost): Cost {
  return {
    bytes: Math.max(a.bytes + b.bytes, 0),
    transactions: Math.max(a.transactions + b.transactions, 0),
  };
}
