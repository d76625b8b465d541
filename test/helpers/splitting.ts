import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import * as v from "valibot";
import { projectRoot, run, type Result, type RunOptions } from "./command.ts";

/** A place for a dump that is split and joined again. */
export interface Splitting {
  readonly root: string;
  /** Where the files go. */
  readonly to: string;
  /** Runs mysql-split into `to`, with small chunks. */
  split: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** Splits this text and says what it changed; throws unless it ends with 0. */
  splitText: (dump: string | Uint8Array, ...args: readonly string[]) => Promise<SplitDocument>;
  join: (args: readonly string[], options?: RunOptions) => Promise<Result>;
  /** What `cat *` gives. */
  cat: () => Promise<Buffer>;
}

const names = v.array(v.string());
const splitDocument = v.object({
  version: v.literal(1),
  kind: v.literal("split"),
  dry_run: v.boolean(),
  program: v.string(),
  program_version: v.nullable(v.string()),
  files: v.number(),
  bytes: v.number(),
  unchanged: v.number(),
  new_bytes: v.number(),
  changed: names,
  added: names,
  removed: names,
  renamed: v.array(v.object({ from: v.string(), to: v.string() })),
});
export type SplitDocument = v.InferOutput<typeof splitDocument>;

export function parseSplit({ stdout }: Result): SplitDocument {
  return v.parse(splitDocument, JSON.parse(stdout));
}

/** The compiled file of an exporter. */
export function exporter(name: string): string {
  return path.join(projectRoot, "dist/exporters", `${name}.js`);
}

export async function makeSplitting(t: TestContext): Promise<Splitting> {
  const root = await mkdtemp(path.join(tmpdir(), "rclone-backups-test-"));
  t.after(async () => rm(root, { recursive: true, force: true }));
  const to = path.join(root, "split");
  const split: Splitting["split"] = async (args, options = {}) =>
    run(
      process.execPath,
      [exporter("mysql-split"), "--to", to, "--chunk-size", "64K", ...args],
      options,
    );
  return {
    root,
    to,
    split,
    splitText: async (dump, ...args) => {
      const result = await split(["--json", ...args], { input: dump });
      if (result.code !== 0) throw new Error(`${result.code ?? "?"}: ${result.stderr}`);
      return parseSplit(result);
    },
    join: async (args, options = {}) =>
      run(process.execPath, [exporter("mysql-join"), to, ...args], options),
    cat: async () => {
      const files = (await readdir(to)).filter((name) => !name.startsWith(".")).toSorted();
      return Buffer.concat(
        await Promise.all(files.map(async (name) => readFile(path.join(to, name)))),
      );
    },
  };
}

/** Changes a byte of a file. */
export async function damage(file: string, at = 500): Promise<void> {
  const bytes = await readFile(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
}

/** Names and times of all that lies below a directory: equal if nothing was written. */
export async function traces(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true });
  return Promise.all(
    [".", ...entries].toSorted().map(async (name) => {
      const { ino, mtimeMs, size } = await stat(path.join(directory, name));
      return `${name} ${ino} ${mtimeMs} ${size}`;
    }),
  );
}

export interface Table {
  readonly name: string;
  readonly rows: readonly string[];
  /** What stands behind the rows, such as triggers. */
  readonly after?: string;
}

const head = `-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
-- Server version\t9.7.4

/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
`;

/** A dump as mysqldump writes it, of the database shop. */
export function mysqlDump(tables: readonly Table[], end = "-- Dump completed\n"): string {
  const parts = tables.map(
    ({ name, rows, after = "" }) => `
--
-- Table structure for table \`${name}\`
--

DROP TABLE IF EXISTS \`${name}\`;
CREATE TABLE \`${name}\` (
  \`id\` int
) COMMENT='${name}';

--
-- Dumping data for table \`${name}\`
--

LOCK TABLES \`${name}\` WRITE;
/*!40000 ALTER TABLE \`${name}\` DISABLE KEYS */;
set autocommit=0;
${rows.map((row) => `INSERT INTO \`${name}\` VALUES (${row});\n`).join("")}/*!40000 ALTER TABLE \`${name}\` ENABLE KEYS */;
UNLOCK TABLES;
commit;
${after}`,
  );
  return `${head}${parts.join("")}
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

${end}`;
}

/** Rows that differ. */
export function someRows(count: number, first = 1): string[] {
  return Array.from({ length: count }, (_, at) => {
    const id = first + at;
    return `${id},'${((id * 2_654_435_761) % 2 ** 32).toString(36)} and some text that is always the same',NULL,0.00`;
  });
}
