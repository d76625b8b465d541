import { BSON, type Document } from "mongodb";

/** Types stay what they are: no number, binary or expression becomes another one of the language's own. */
const asTheyAre = {
  promoteValues: false,
  promoteLongs: false,
  promoteBuffers: false,
  bsonRegExp: true,
  validation: { utf8: false },
} as const;

/**
 * A document for the driver, that comes out of it with the bytes it had; undefined where it would not: the
 * order of keys that are numbers, keys that stand twice, types that are no longer used; or where it is none.
 */
export function exactly(bytes: Uint8Array): Document | undefined {
  try {
    const document = BSON.deserialize(bytes, asTheyAre);
    return Buffer.from(BSON.serialize(document, { ignoreUndefined: false })).equals(bytes)
      ? document
      : undefined;
  } catch {
    return undefined;
  }
}
