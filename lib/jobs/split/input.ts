import { fstatSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { failed, systemCode, usage } from "../../errors.ts";

/** Where a dump is read from. */
export interface DumpInput {
  /** What it is, for messages. */
  readonly name: string;
  /** How long it is, where that is known. */
  readonly bytes: number | undefined;
  /** Reads some bytes to the beginning of `into`; 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** Opens a file, or standard input for undefined. Throws usage() where there is none. */
export async function openInput(
  file: string | undefined,
  stdin: Readable & { readonly fd?: number; readonly isTTY?: boolean },
): Promise<DumpInput> {
  if (file !== undefined) return openFile(file);
  const name = "standard input";
  if (stdin.isTTY === true)
    throw usage("expected a dump on standard input or a file that is named, found a terminal");
  const { fd } = stdin;
  const status = fd === undefined ? undefined : fstatSync(fd);
  if (fd === undefined || status?.isFile() !== true) return streamInput(name, stdin);
  return {
    name,
    bytes: status.size,
    // At once: handing every read to another thread and back takes longer than to read.
    read: async (into) => readSync(fd, into),
    close: async () => {},
  };
}

async function openFile(file: string): Promise<DumpInput> {
  try {
    const handle = await open(file, "r");
    const status = await handle.stat();
    if (status.isDirectory()) {
      await handle.close();
      throw usage(`expected a dump, found a directory: ${file}`, {
        hint: "of pg_dump's formats, the plain one is taken; --tab of mysqldump writes no dump",
      });
    }
    return {
      name: file,
      bytes: status.isFile() ? status.size : undefined,
      read: async (into) =>
        status.isFile()
          ? readSync(handle.fd, into)
          : (await handle.read(into, 0, into.length, null)).bytesRead,
      close: async () => handle.close(),
    };
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw usage(`expected a dump that can be read, found ${file}: ${systemCode(error) ?? ""}`, {
      cause: error,
    });
  }
}

/** What a stream brings. */
export function streamInput(name: string, stream: Readable): DumpInput {
  const chunks = stream[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    name,
    bytes: undefined,
    async read(into) {
      while (rest.length === 0) {
        const next: IteratorResult<unknown> = await chunks.next();
        if (next.done === true) return 0;
        if (!(next.value instanceof Uint8Array)) throw failed(`${name}: expected bytes`);
        rest = next.value;
      }
      const count = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
    close: async () => void stream.destroy(),
  };
}
