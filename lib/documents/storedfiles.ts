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
  /** One of several shares of them, counted from 0; all without it. */
  readonly share?: Share;
}

export interface Share {
  readonly index: number;
  readonly of: number;
}

/** The files of a collection's documents; of a capped one in the order of its documents. */
export function* storedFiles({ directory, capped, share }: DocumentSource): Generator<string> {
  const ordered = capped ? readOrder(path.join(directory, orderName)) : [];
  if (share === undefined || share.index === 0) yield* ordered;
  const done = capped ? new Set(ordered) : undefined;
  const files = new DocumentFiles(directory);
  for (const shard of files.shards()) {
    // By the name, which is a hash: another share may be listed when there are more or less directories.
    if (share !== undefined && Number.parseInt(shard, 16) % share.of !== share.index) continue;
    for (const name of files.names(shard)) {
      const file = `${shard}/${name}`;
      if (done?.has(file) !== true) yield file;
    }
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
