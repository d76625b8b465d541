import * as v from "valibot";
import { parseJson } from "../state/jsonfile.ts";
import { failed } from "../errors.ts";
import { hashName, type HashBytes } from "./hash.ts";
import { parseChunkName } from "./names.ts";
import type { Section } from "./section.ts";

export interface SetFile {
  readonly name: string;
  readonly bytes: number;
  readonly hash: string;
  /** Undefined where the manifest was lost, until the next run. */
  readonly section: Section | undefined;
}

/** What the files of a directory are: in their order. */
export interface Manifest {
  /** The program that wrote the dump. */
  readonly program: string;
  readonly programVersion: string | undefined;
  /** The target size of chunks, in bytes. */
  readonly chunkSize: number;
  readonly files: readonly SetFile[];
}

const format = 1;
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const anyHead = v.object({ kind: v.literal("split"), version: v.number() });
const headSchema = v.object({
  program: v.string(),
  program_version: v.optional(v.string()),
  chunk_size: count,
  hash: v.literal(hashName),
  files: count,
});
const fileSchema = v.object({
  name: v.pipe(
    v.string(),
    v.check((name) => parseChunkName(name) !== undefined),
  ),
  bytes: count,
  hash: v.string(),
  section: v.object({
    kind: v.string(),
    database: v.optional(v.string()),
    table: v.optional(v.string()),
    needs: v.optional(v.string()),
  }),
});

const endSchema = v.object({ hash: v.string() });

/** One JSON object a line: what the set is, then a file each, and the hash of these lines. */
export function manifestText(manifest: Manifest, hashOf: HashBytes): string {
  const head = {
    kind: "split",
    version: format,
    program: manifest.program,
    program_version: manifest.programVersion,
    chunk_size: manifest.chunkSize,
    hash: hashName,
    files: manifest.files.length,
  };
  const lines = manifest.files.map(({ name, bytes, hash, section }) => {
    const { kind, database, table, needs } = section ?? {};
    return { name, bytes, hash, section: { kind, database, table, needs } };
  });
  const text = [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
  return `${text}${JSON.stringify({ hash: hashOf(Buffer.from(text)) })}\n`;
}

/** Undefined where the text is damaged. Throws failed() where a later version of this program wrote it. */
export function parseManifest(text: string, hashOf: HashBytes): Manifest | undefined {
  const [first = "", ...lines] = text.split("\n");
  const found = parseJson(first, anyHead);
  if (found !== undefined && found.version > format)
    throw failed(`expected a manifest of version ${format}, found version ${found.version}`, {
      hint: "a later version of this program wrote it: use that one",
    });
  const head = parseJson(first, headSchema);
  if (found === undefined || head === undefined || lines.pop() !== "") return undefined;
  const end = lines.pop() ?? "";
  const above = Buffer.from(text.slice(0, text.length - end.length - 1));
  if (parseJson(end, endSchema)?.hash !== hashOf(above)) return undefined;
  const files: SetFile[] = [];
  let before = "";
  for (const line of lines) {
    const file = parseJson(line, fileSchema);
    if (file === undefined || file.name <= before) return undefined;
    before = file.name;
    files.push(file);
  }
  if (files.length !== head.files) return undefined;
  return {
    program: head.program,
    programVersion: head.program_version,
    chunkSize: head.chunk_size,
    files,
  };
}
