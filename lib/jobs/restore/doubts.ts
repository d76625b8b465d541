import type { FileHistory } from "../../history/history.ts";
import { earlyText, noTimes, seeTimes, timesAreLost } from "../../history/times.ts";
import type { Pages } from "../../manifest/pages.ts";
import { planRestore, type PlannedFile, type RestoreChoice } from "../../restore/plan.ts";
import type { Events } from "../../units/events.ts";
import { formatFiles } from "../../units/format.ts";
import { Outdated } from "../outdated.ts";
import type { VersionChoice } from "./options.ts";

/** What the store can't say for sure of the moment that was asked for, counted while the plan passes. */
export class Doubts {
  /** Files of which nobody can say for sure that this was their version. */
  uncertain = 0;
  /** Files whose version of that time is no longer stored. */
  readonly outdated = new Outdated();
  #perhaps = 0;
  readonly #times = noTimes();
  readonly #choice: RestoreChoice;

  constructor({ asOf, allVersions, includeDeleted }: VersionChoice) {
    const onPerhaps = (): void => void (this.#perhaps += 1);
    this.#choice = { asOf: asOf?.getTime(), allVersions, includeDeleted, onPerhaps };
  }

  /** The plan for what is chosen of these files. */
  async *plan(histories: Pages<FileHistory>): Pages<PlannedFile> {
    for await (const page of planRestore(this.#watch(histories), this.#choice)) {
      for (const { uncertain, outdated, path } of page) {
        if (uncertain) this.uncertain += 1;
        if (outdated) this.outdated.add(path);
      }
      yield page;
    }
  }

  /** Warns of all that is in doubt, once the plan has ended. `shown` says how to see the versions. */
  tell({ warn }: Pick<Events, "warn">, place: string, shown: string): void {
    if (this.uncertain > 0)
      warn(
        `${formatFiles(this.uncertain)}: the store can't say for sure that this was the version of that time; ${shown}`,
      );
    this.outdated.tell({ warn }, shown);
    if (this.#perhaps > 0)
      warn(
        `${formatFiles(this.#perhaps)} left out: the store can't say when they were deleted; --include-deleted restores them`,
      );
    const { asOf } = this.#choice;
    if (asOf === undefined) return;
    const times = this.#times;
    if (timesAreLost(times))
      warn(
        `${place}: ${times.momentary} of ${times.superseded} old versions have the time at which they were replaced, so nobody can say what was there at that time; ${shown}, --all-versions restores them`,
      );
    const early = earlyText(times, asOf);
    if (early !== undefined) warn(early);
  }

  async *#watch(histories: Pages<FileHistory>): Pages<FileHistory> {
    const { asOf } = this.#choice;
    for await (const page of histories) {
      if (asOf !== undefined) for (const file of page) seeTimes(this.#times, file, asOf);
      yield page;
    }
  }
}
