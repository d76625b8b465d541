import { failed } from "../errors.ts";
import {
  documentOf,
  elementsOf,
  int32At,
  stringValue,
  textBytes,
  types,
  valueOf,
  type Value,
} from "./bson.ts";

/** What a collection is, besides its documents. */
export interface Metadata {
  readonly database: string;
  readonly collection: string;
  readonly kind: "collection" | "view";
  /** A document: as the server lists the options, and `create` takes them. */
  readonly options: Uint8Array;
  /** Documents: as the server lists the indexes, and `createIndexes` takes them; not that of the id. */
  readonly indexes: readonly Uint8Array[];
  /** Documents keep the order in which they were inserted, which order.txt tells. */
  readonly capped: boolean;
}

const version = 1;
/** Of an index, what its server adds and no server takes. */
const added = new Set(["ns", "storageEngine", "background"]);
const empty = Uint8Array.of(5, 0, 0, 0, 0);

/** The bytes of metadata.bson: the same for the same collection, whatever order its indexes come in. */
export function metadataBytes(metadata: Metadata): Buffer {
  const { database, collection, kind, options, indexes, capped } = metadata;
  const sorted = indexes
    .map((bytes) => ({ name: nameOf(bytes), bytes }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const list = documentOf(
    sorted.map(({ bytes }, at) => ({ key: String(at), type: types.document, bytes })),
  );
  const versionBytes = Buffer.alloc(4);
  versionBytes.writeInt32LE(version);
  return documentOf([
    { key: "version", type: types.int32, bytes: versionBytes },
    { key: "database", ...stringValue(database) },
    { key: "collection", ...stringValue(collection) },
    { key: "kind", ...stringValue(kind) },
    { key: "capped", type: types.boolean, bytes: Uint8Array.of(capped ? 1 : 0) },
    { key: "options", type: types.document, bytes: options },
    { key: "indexes", type: types.array, bytes: list },
  ]);
}

/** Reads metadata.bson; `file` is its name in messages. Throws failed(). */
export function readMetadata(bytes: Uint8Array, file: string): Metadata {
  const damaged = (found: string): Error =>
    failed(`${file}: expected what mongo-export writes of a collection, found ${found}`, {
      hint: "bring the file back from the backup: without it, nobody knows the name of the collection; or leave the collection out with --exclude",
    });
  let values: ReadonlyMap<string, Value>;
  try {
    values = new Map([...elementsOf(bytes)].map(({ key, ...value }) => [key, value]));
  } catch {
    throw damaged("something else");
  }
  const get = (key: string, type: number): Value => {
    const value = values.get(key);
    if (value?.type !== type) throw damaged(`no ${key}`);
    return value;
  };
  const found = int32At(get("version", types.int32).bytes, 0);
  if (found !== version) throw damaged(`version ${found}`);
  const text = (key: string): string => textBytes(get(key, types.string)).toString("utf8");
  const kind = text("kind");
  if (kind !== "collection" && kind !== "view") throw damaged(`the kind ${kind}`);
  return {
    database: text("database"),
    collection: text("collection"),
    kind,
    capped: get("capped", types.boolean).bytes[0] === 1,
    options: get("options", types.document).bytes,
    indexes: [...elementsOf(get("indexes", types.array).bytes)].map((element) => element.bytes),
  };
}

/** What a server's list of collections tells of one. */
export interface Listed {
  readonly name: string;
  /** `collection`, `view`, `timeseries`, or what later servers know. */
  readonly type: string;
  /** A document. */
  readonly options: Uint8Array;
  /** In hexadecimal, where the server tells it: another one for a collection that was made anew. */
  readonly uuid?: string | undefined;
}

/** An entry of listCollections, as the server sent it. */
export function readListed(bytes: Uint8Array): Listed {
  const name = valueOf(bytes, "name");
  if (name?.type !== types.string) throw failed("expected the name of a collection, found none");
  const type = valueOf(bytes, "type");
  const options = valueOf(bytes, "options");
  return {
    name: textBytes(name).toString("utf8"),
    type: type?.type === types.string ? textBytes(type).toString("utf8") : "collection",
    options: options?.type === types.document ? Uint8Array.from(options.bytes) : empty,
    uuid: uuidOf(valueOf(bytes, "info")),
  };
}

function uuidOf(info: Value | undefined): string | undefined {
  if (info?.type !== types.document) return undefined;
  const uuid = valueOf(info.bytes, "uuid");
  return uuid?.type === types.binary ? Buffer.from(uuid.bytes).toString("hex") : undefined;
}

/** An entry of listIndexes without what can't be given to createIndexes; undefined for that of the id. */
export function readIndex(bytes: Uint8Array): Uint8Array | undefined {
  if (nameOf(bytes) === "_id_" || valueOf(bytes, "clustered") !== undefined) return undefined;
  return documentOf([...elementsOf(bytes)].filter((element) => !added.has(element.key)));
}

/** Whether the options say that the collection is capped. */
export function isCapped(options: Uint8Array): boolean {
  const capped = valueOf(options, "capped");
  return capped !== undefined && capped.bytes.some((byte) => byte !== 0);
}

/** The name of an index. */
export function nameOf(index: Uint8Array): string {
  const name = valueOf(index, "name");
  return name?.type === types.string ? textBytes(name).toString("utf8") : "";
}

/** Whether a document holds all that another one does; servers of other versions add to what they list. */
export function holdsAll(wanted: Uint8Array, found: Uint8Array): boolean {
  const there = new Map([...elementsOf(found)].map(({ key, ...value }) => [key, value]));
  return [...elementsOf(wanted)].every(({ key, type, bytes }) => {
    // The version of an index's format is the server's to choose.
    if (key === "v") return true;
    const value = there.get(key);
    return value?.type === type && Buffer.from(value.bytes).equals(bytes);
  });
}

/** The first of these keys that a document has, and another one has not; false is as good as none. */
export function extraKey(
  wanted: Uint8Array,
  found: Uint8Array,
  keys: ReadonlySet<string>,
): string | undefined {
  const known = new Set([...elementsOf(wanted)].map(({ key }) => key));
  for (const { key, type, bytes } of elementsOf(found))
    if (keys.has(key) && !known.has(key) && !(type === types.boolean && bytes[0] === 0)) return key;
  return undefined;
}
