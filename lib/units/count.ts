/** Files and their bytes. */
export interface Count {
  readonly files: number;
  readonly bytes: number;
}

/** Adds files and bytes up; a size that is not known counts as 0 bytes. */
export class Counter {
  files = 0;
  bytes = 0;

  add(size: number): void {
    this.files += 1;
    this.bytes += Math.max(size, 0);
  }

  get count(): Count {
    return { files: this.files, bytes: this.bytes };
  }
}
