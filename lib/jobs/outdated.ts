import type { Events } from "../units/events.ts";
import { formatFiles } from "../units/format.ts";
import { textFromRaw, type RawPath } from "../units/rawpath.ts";

const named = 3;

/** Files of which an older version is taken, since that of the time asked for is no longer stored. */
export class Outdated {
  count = 0;
  readonly #first: RawPath[] = [];

  add(path: RawPath): void {
    this.count += 1;
    if (this.#first.length < named) this.#first.push(path);
  }

  /** Warns of them, if there are any. `shown` says how to see the versions. */
  tell(events: Pick<Events, "warn">, shown: string): void {
    if (this.count === 0) return;
    const names = this.#first.map(textFromRaw).join(", ");
    const more = this.count > named ? ", …" : "";
    events.warn(
      `${formatFiles(this.count)}: the version of that time is no longer kept, and the last one before it is taken: ${names}${more}; ${shown}`,
    );
  }
}
