import { createHash } from "node:crypto";
import type { Section } from "./section.ts";

const sectionDigits = 10;
const chunkDigits = 8;

/** Numbers of sections and of chunks are above 0 and at most these. */
export const largestSection = 10 ** sectionDigits - 1;
export const largestChunk = 10 ** chunkDigits - 1;

/** A label longer than this is cut: rclone's crypt takes names of some 140 bytes. */
const longestLabel = 60;
const digestLength = 10;
const grammar = /^(\d{10})-(\d{8})-([\w.-]+)\.sql$/;

export interface ChunkName {
  readonly section: number;
  readonly chunk: number;
  readonly label: string;
}

/** The name of a chunk's file: two groups of digits of fixed width, so that every locale sorts it alike. */
export function chunkName({ section, chunk, label }: ChunkName): string {
  const numbers = [
    String(section).padStart(sectionDigits, "0"),
    String(chunk).padStart(chunkDigits, "0"),
  ];
  return `${numbers.join("-")}-${label}.sql`;
}

/** What a name says; undefined for one that is none of ours. */
export function parseChunkName(name: string): ChunkName | undefined {
  const [, section, chunk, label] = grammar.exec(name) ?? [];
  if (section === undefined || chunk === undefined || label === undefined) return undefined;
  return { section: Number(section), chunk: Number(chunk), label };
}

/**
 * A section in ASCII letters, digits and dots, safe in every file system. Where a name had to be
 * changed or cut, a digest of the whole stands behind it: different sections have different labels.
 */
export function sectionLabel({ kind, database, table }: Section): string {
  const names = [database, table].filter((name) => name !== undefined);
  const words = [...names, kind];
  const plain = words.join(".");
  // PostgreSQL's tables come as schema.table.
  const isPlain =
    (database === undefined || /^\w+$/.test(database)) &&
    (table === undefined || /^\w+(?:\.\w+)?$/.test(table));
  if (isPlain && plain.length <= longestLabel) return plain;
  const digest = createHash("sha256").update(JSON.stringify(words)).digest("hex");
  const room = longestLabel - digestLength - kind.length - 2;
  const readable = names.map((name) => name.replaceAll(/\W+/g, "_")).join(".");
  return `${readable.slice(0, room)}-${digest.slice(0, digestLength)}.${kind}`;
}
