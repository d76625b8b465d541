import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/**
 * The lines of a file, one byte a character, however large it is.
 * Throws the system's error where it can't be read.
 */
export async function* fileLines(file: string): AsyncGenerator<string> {
  yield* streamLines(createReadStream(file));
}

/** The lines of a stream, one byte a character; a line that a stream fails in is not among them. */
export async function* streamLines(stream: Readable): AsyncGenerator<string> {
  stream.setEncoding("latin1");
  let problem: Error | undefined;
  const lines = createInterface({ input: stream, crlfDelay: Infinity });
  stream.once("error", (error) => {
    problem = error;
    lines.close();
  });
  yield* lines;
  if (problem !== undefined) throw problem;
}
