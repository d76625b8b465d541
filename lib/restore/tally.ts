import type { RawPath } from "../units/rawpath.ts";

export interface Count {
  readonly files: number;
  readonly bytes: number;
}

export interface RestoreFailure {
  readonly path: RawPath;
  readonly reason: string;
}

/** So many failures are named; more of them are counted. */
const named = 1000;

interface Sized {
  readonly version: { readonly size: number };
}

class Sum implements Count {
  files = 0;
  bytes = 0;

  add({ version }: Sized): void {
    this.files += 1;
    this.bytes += version.size;
  }
}

/** What came of the files of a plan. */
export class Tally {
  readonly planned = new Sum();
  /** Written by this run. */
  readonly restored = new Sum();
  /** Already there, with the size and time they should have. */
  readonly already = new Sum();
  /** Of those restored: the stored bytes had the provider's checksum. */
  readonly verified = new Sum();
  /** Of those restored: length and, as far as the store tells it, time are right; the content wasn't held against anything. */
  readonly unverified = new Sum();
  readonly failures: RestoreFailure[] = [];
  failureCount = 0;
  /** Of the failures: files that can't be planned, since the store has lost them. */
  missed = 0;
  /** Files of which the store can't say for sure that they were there at the time. */
  uncertain = 0;
  outdated = 0;

  /** Fetched by us so far, for the status line. */
  fetchedFiles = 0;
  fetchedBytes = 0;

  fetched(bytes: number): void {
    this.fetchedBytes += bytes;
  }

  fail(path: RawPath, reason: string): void {
    this.failureCount += 1;
    if (this.failures.length < named) this.failures.push({ path, reason });
  }

  miss(path: RawPath, reason: string): void {
    this.missed += 1;
    this.fail(path, reason);
  }

  written(file: Sized, isVerified: boolean): void {
    this.restored.add(file);
    (isVerified ? this.verified : this.unverified).add(file);
  }
}
