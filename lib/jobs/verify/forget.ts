import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatEntry, type Entry } from "../../manifest/entry.ts";
import { LineSpool } from "../../process/spool.ts";
import { eachFile } from "../../verify/filelist.ts";
import { wordsPerHash } from "../../verify/keyedhash.ts";
import { FileKeys, KeyTable, lineKey } from "../../verify/keys.ts";
import { writeLedger } from "../../verify/ledger.ts";
import { writeParts } from "../../verify/parts.ts";
import type { StateFiles } from "../statefiles.ts";
import { openBook, type LedgerSession } from "./book.ts";
import { lockLedger } from "./keep.ts";

/**
 * Takes files out of the ledger that a backup wrote anew. One that changed is another file there anyhow; but one that
 * was lost at the destination comes back with the size and time that it had, and was never read back.
 */
export function forgetting(run: {
  readonly session: LedgerSession;
  readonly files: StateFiles;
  readonly scratch: string;
}): { readonly add: (entry: Entry) => void; readonly forget: () => Promise<void> } {
  let lines: LineSpool | undefined;
  const known = existsSync(run.files.ledger);
  return {
    add: (entry) => {
      if (!known) return;
      lines ??= new LineSpool(join(run.scratch, "rewritten"));
      lines.write(formatEntry(entry));
    },
    forget: async () => {
      lines?.close();
      if (lines !== undefined) await forget(run, lines.file);
    },
  };
}

async function forget(
  { session, files }: { readonly session: LedgerSession; readonly files: StateFiles },
  listing: string,
): Promise<void> {
  const lock = await lockLedger({ session, files });
  try {
    const book = await openBook({ session, files, list: undefined, setAside: true });
    const { days } = book;
    const table = book.table();
    const parts = [...book.parts.parts];
    const begun = new FileKeys(book.files.hashKey, parts.length);
    for (const part of parts) begun.addFile(part);
    const begunTable = new KeyTable(begun);
    const key = new Uint32Array(wordsPerHash);
    let forgotten = 0;
    await eachFile({ kind: "listing", file: listing }, (_, bytes, start, end) => {
      if (lineKey(key, 0, bytes, start, end, book.files.hashKey) === undefined) return;
      const place = table.find(key, 0);
      if (place >= 0) days[place] = 0;
      const at = begunTable.find(key, 0);
      const part = parts[at];
      if (part !== undefined) parts[at] = { ...part, offset: 0 };
      if (place >= 0 || part !== undefined) forgotten += 1;
    });
    if (forgotten === 0) return;
    await writeLedger(files.ledger, book.files, days);
    await writeParts(files.parts, { parts, vain: book.parts.vain });
  } finally {
    await lock.release();
  }
}
