import { Failure, failed } from "../../errors.ts";

/** Writes the newest state of a file, one write after another; what changes while one waits goes with it. */
export class Keeper {
  readonly #write: () => Promise<void>;
  #last: Promise<Failure | undefined> = Promise.resolve(undefined);
  #waiting: Promise<Failure | undefined> | undefined;

  constructor(write: () => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when what holds now is written, with what kept it from being so. Never throws. */
  async keep(): Promise<Failure | undefined> {
    this.#waiting ??= this.#last = this.#last.then(async () => {
      this.#waiting = undefined;
      try {
        await this.#write();
        return undefined;
      } catch (error) {
        return asFailure(error);
      }
    });
    return this.#waiting;
  }
}

/** An error as one that is told with its own words; failed unless it says otherwise. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return failed(error instanceof Error ? error.message : String(error), { cause: error });
}
