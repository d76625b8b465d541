import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import { formatBytes } from "../../lib/units/format.ts";
import type { Rclone } from "../../test/helpers/rclones.ts";
import { startB2, storedName } from "./b2.ts";
import { versionOf } from "./machine.ts";
import { compare, expectThat, sideBySide, timed } from "./measure.ts";
import type { TimedRun } from "./measure.ts";
import type { Options } from "./options.ts";
import { Aside, configure, remove, settle } from "./place.ts";
import type { BackupUnderTest, Place } from "./place.ts";
import { MB, memoryRow, number, row } from "./report.ts";
import type { Row } from "./report.ts";
import { changeTree, makeFile, makeTree } from "./tree.ts";

const fileSize = 50_000;
const dated = "[history]\nkind = dir\n";
const memoryTarget = { atMost: 120 * MB };

/** Restoring as of a time: many files, compared with a copy of the same, and one large file. */
export async function restoreCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  return [
    ...(await manyFiles(place, options, rclone)),
    ...(await largeFile(place, options, rclone)),
  ];
}

async function manyFiles(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { restoreFiles: files, runs } = options;
  const version = versionOf(rclone);
  const amount = `${formatBytes(files * fileSize)} in ${number(files)} files`;
  const source = path.join(place.root, "past");
  place.say(`making ${amount}`);
  await makeTree(source, files, fileSize, place.signal);
  const name = `restore-${rclone.version}`;
  const backup = await configure(place, name, source, rclone, { more: dated });
  place.say(`rclone ${version}: a backup of them, and another after some of them changed`);
  await timed(place, backup.command());
  const asOf = new Date().toISOString();
  const copy = (from: string, to: string) => ({
    program: rclone.path,
    args: ["--config", place.rcloneConf, "copy", from, to],
    env: place.env,
  });
  const same = `secret:${name}-same`;
  await timed(place, copy(source, same));
  const aside = new Aside();
  await changeTree(source, files, fileSize, place.signal);
  await timed(place, backup.command());
  await aside.put(source);
  const targets = { ours: path.join(place.root, "ours"), bare: path.join(place.root, "bare") };
  const args = ["--as-of", asOf, "--to", targets.ours, "--json"];
  place.say(`rclone ${version}: restoring them as they were, and rclone copy of the same`);
  const peaks: number[] = [];
  const emptied = (target: string) => async (): Promise<void> => {
    await aside.put(target);
    await settle();
  };
  const pairs = await sideBySide(
    place,
    runs,
    { ...backup.other("rclone-restore", ...args), prepare: emptied(targets.ours) },
    { ...copy(same, targets.bare), prepare: emptied(targets.bare) },
    async (run) => {
      await expectRestored(run, { files, bytes: files * fileSize });
      peaks.push((await backup.used()).memory);
    },
  );
  await timed(place, {
    ...{ program: "diff", args: ["-r", targets.ours, targets.bare], env: place.env },
  });
  for (const tree of [place.store, targets.ours, targets.bare]) await remove(tree);
  await aside.remove();
  const { ofMedians, ofPairs } = compare(pairs, (own, other) => own / other);
  const what = `\`rclone-restore --as-of\`, ${amount} from crypt with dated directories, compared with \`rclone copy\` of the same`;
  const base = { case: "restore", rclone: version } as const;
  return [
    row(
      { ...base, what, unit: "times", ...pairs, measured: ofMedians, of_pairs: ofPairs },
      { atMost: 1.15 },
    ),
    memoryRow({ ...base, what: "– its own peak memory" }, peaks),
  ];
}

/** A file that rclone copies out of a dated directory, and that we fetch and decrypt from B2. */
async function largeFile(place: Place, { restoreBytes }: Options, rclone: Rclone): Promise<Row[]> {
  const version = versionOf(rclone);
  const amount = formatBytes(restoreBytes);
  const source = path.join(place.root, "large");
  const file = path.join(source, "large file");
  place.say(`making a file of ${amount}`);
  const made = await makeFile(file, restoreBytes, place.signal);
  const name = `large-${rclone.version}`;
  const backup = await configure(place, name, source, rclone, { more: dated });
  place.say(`rclone ${version}: a backup of it, and another after it changed`);
  await timed(place, backup.command());
  const asOf = new Date().toISOString();
  await writeFile(file, "small");
  await timed(place, backup.command());
  const target = path.join(place.root, "restored");
  const base = { case: "restore", rclone: version } as const;

  async function measure(from: BackupUnderTest, ...args: readonly string[]): Promise<number> {
    const command = from.other("rclone-restore", ...args, "--to", target, "--json");
    const run = await timed(place, command);
    await expectRestored(run, { files: 1, bytes: restoreBytes });
    const [restored = ""] = await readdir(target);
    const found = await digest(path.join(target, restored), place.signal);
    expectThat(found === made, "the file's content", restored);
    await remove(target);
    return (await from.used()).memory;
  }

  place.say(`rclone ${version}: restoring it as it was`);
  const copied = await measure(backup, "--as-of", asOf);
  place.say("restoring it from a B2 server, natively");
  const stored = await largest(place.store, restoreBytes);
  // Below the same directory as in the first backup, whose name is encrypted alike.
  const own = await storedName(place, rclone, name);
  const files = [{ name: `${own}/${path.basename(stored)}`, file: stored }];
  const b2 = await startB2(place, name, "files", { directory: "", versions: 0, files });
  try {
    const { rcloneConf } = b2;
    const setting = { destination: `hidden:${name}`, rcloneConf };
    const other = await configure(place, `${name}-b2`, source, rclone, setting);
    const fetched = await measure(other, "--all-versions");
    const told = (what: string, peak: number): Row =>
      memoryRow({ ...base, what }, [peak], memoryTarget);
    return [
      told(`– ${amount} in one file, own peak memory`, copied),
      told(`– ${amount} in one file from B2, decrypted by us, own peak memory`, fetched),
    ];
  } finally {
    await b2.close();
    await remove(place.store);
    await remove(source);
  }
}

const restoreDocument = v.object({
  kind: v.literal("restore"),
  outcome: v.literal("done"),
  restored: v.object({ files: v.number(), bytes: v.number() }),
  failure_count: v.literal(0),
});

async function expectRestored(
  { output }: TimedRun,
  expected: { readonly files: number; readonly bytes: number },
): Promise<void> {
  const last = (await readFile(output, "utf8")).trimEnd().split("\n").at(-1) ?? "";
  const found = v.parse(restoreDocument, JSON.parse(last));
  const { files, bytes } = found.restored;
  expectThat(
    files === expected.files && bytes === expected.bytes,
    `${expected.files} files of ${expected.bytes} bytes in all to be restored`,
    found,
  );
}

async function digest(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest("hex");
}

/** The one stored file that is so large. */
async function largest(store: string, bytes: number): Promise<string> {
  for (const entry of await readdir(store, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && (await stat(file)).size > bytes) return file;
  }
  expectThat(false, `a stored file of more than ${bytes} bytes`, store);
  return "";
}
