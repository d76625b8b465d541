import { readFileSync } from "node:fs";
import path from "node:path";
import { failed, systemCode } from "../errors.ts";
import { DocumentFiles } from "./files.ts";
import { orderName } from "./place.ts";

/** The documents of a collection, as files. */
export interface DocumentSource {
  readonly directory: string;
  /** Whether their order is kept. */
  readonly capped: boolean;
}

/** The files of a collection's documents; of a capped one in the order of its documents. */
export function* storedFiles({ directory, capped }: DocumentSource): Generator<string> {
  const ordered = capped ? readOrder(path.join(directory, orderName)) : [];
  yield* ordered;
  const done = new Set(ordered);
  const files = new DocumentFiles(directory);
  for (const shard of files.shards())
    for (const name of files.names(shard)) {
      const file = `${shard}/${name}`;
      if (!done.has(file)) yield file;
    }
}

function readOrder(file: string): readonly string[] {
  try {
    return readFileSync(file, "latin1").split("\n").slice(0, -1);
  } catch (cause) {
    throw failed(`cannot read ${file} (${systemCode(cause) ?? String(cause)})`, {
      hint: "the order of a capped collection stands in it: bring it back from the backup",
      cause,
    });
  }
}
