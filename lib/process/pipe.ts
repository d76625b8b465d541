import { closeSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Writable } from "node:stream";

/** One end of a pipe, for a child. */
export class PipeEnd {
  readonly fd: number;
  #isOpen = true;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** To be called once the child has it: a pipe ends when nobody holds its other end any more. */
  close(): void {
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }
}

/** Where a child's output goes without our help: a pipe, or what Node writes another child's input to. */
export type Sink = PipeEnd | Writable;

/** To be called once the child has it. */
export function closeSink(sink: Sink): void {
  if (sink instanceof PipeEnd) sink.close();
  else sink.destroy();
}

/** What one child writes and another reads. */
export interface Pipe {
  readonly reader: PipeEnd;
  readonly writer: PipeEnd;
}

/**
 * Opens a pipe between two children. Node itself joins children by sockets, and rclone writes each line by a call of its
 * own: into a socket that takes so long that a listing lasts half as long again. `place` is a path that is free; nothing is there
 * afterwards. Undefined where no pipe can have a name: on a FAT disk, say.
 */
export async function openPipe(place: string): Promise<Pipe | undefined> {
  const { execa } = await import("execa");
  const made = await execa("mkfifo", ["-m", "600", place], { reject: false, stdio: "ignore" });
  if (made.failed) return undefined;
  // Opened for both, it waits for nobody, and neither do the others then.
  const both = new PipeEnd(openSync(place, "r+"));
  try {
    const reader = new PipeEnd(openSync(place, "r"));
    return { reader, writer: new PipeEnd(openSync(place, "w")) };
  } finally {
    both.close();
    await rm(place, { force: true });
  }
}
