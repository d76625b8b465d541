import { closeSync, constants, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from "node:fs";
import path from "node:path";
import { writeFailure } from "../process/writefailure.ts";
import { runMark } from "./place.ts";

/** Makes a file that stands for itself, and waits until it is on the disk. Throws failed(). */
export function writeMark(file: string): void {
  const { O_WRONLY, O_CREAT, O_NOFOLLOW, O_RDONLY } = constants;
  try {
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    for (const [name, flags] of [
      [file, O_WRONLY | O_CREAT | O_NOFOLLOW],
      [path.dirname(file), O_RDONLY],
    ] as const) {
      const descriptor = openSync(name, flags, 0o600);
      fsyncSync(descriptor);
      closeSync(descriptor);
    }
  } catch (error) {
    throw writeFailure(file, error);
  }
}

/** Whether an export changed something and did not come to its end. */
export function isUnfinished(root: string): boolean {
  return existsSync(runMark(root));
}

/** The mark of a run that has changed something: who finds it does not take the directory for whole. */
export class RunMark {
  readonly #file: string;
  #isSet = false;

  constructor(root: string) {
    this.#file = runMark(root);
  }

  /** Before the first change of the run; after that it does nothing. Throws failed(). */
  set(): void {
    if (this.#isSet) return;
    writeMark(this.#file);
    this.#isSet = true;
  }

  /** When all is on the disk; that of an earlier run goes too. */
  clear(): void {
    rmSync(this.#file, { force: true });
    this.#isSet = false;
  }
}
