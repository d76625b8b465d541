import type { Db } from "mongodb";
import { DocumentSequence } from "mongodb/lib/cmap/commands.js";
import * as v from "valibot";

/** A document that the server did not take. */
export interface WriteError {
  /** Its place in the batch. */
  readonly index: number;
  readonly message: string;
}

const answer = v.object({
  n: v.number(),
  writeErrors: v.optional(
    v.array(v.object({ index: v.number(), errmsg: v.optional(v.string(), "") })),
  ),
  writeConcernError: v.optional(v.object({ errmsg: v.optional(v.string(), "") })),
});

/**
 * Inserts documents as they are, byte for byte: the driver itself would decode and encode them. Tells which the
 * server did not take. Throws what the driver throws, and an Error for an answer that is none.
 */
export async function insertRaw(
  db: Db,
  collection: string,
  documents: readonly Uint8Array[],
  ordered: boolean,
): Promise<readonly WriteError[]> {
  const sequence = new DocumentSequence("documents");
  const logged = {};
  for (const bytes of documents) sequence.push(logged, bytes);
  const command = {
    insert: collection,
    documents: sequence,
    ordered,
    // What was valid when it was stored, or was stored before there was a rule, is part of the database.
    bypassDocumentValidation: true,
  };
  const { n, writeErrors = [], writeConcernError } = v.parse(answer, await db.command(command));
  if (writeConcernError !== undefined) throw new Error(writeConcernError.errmsg);
  if (n + writeErrors.length !== documents.length && !ordered)
    throw new Error(`expected ${documents.length} documents inserted, found ${n}`);
  return writeErrors.map(({ index, errmsg }) => ({ index, message: errmsg }));
}
