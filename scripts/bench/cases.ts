import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { formatBytes } from "../../lib/units/format.ts";
import type { Rclone } from "../../test/helpers/rclones.ts";
import { duCase } from "./du.ts";
import { mongoCase } from "./mongo.ts";
import { versionOf } from "./machine.ts";
import { compare, expectThat, sideBySide, timed } from "./measure.ts";
import type { TimedRun } from "./measure.ts";
import type { CaseName, Options } from "./options.ts";
import { configure, helpCommand, remove, settle } from "./place.ts";
import type { Place } from "./place.ts";
import { recordCall } from "./record.ts";
import { pruneCase } from "./prune.ts";
import { ledgerCase } from "./ledger.ts";
import { namesCase } from "./names.ts";
import { MB, memoryRow, number, row } from "./report.ts";
import type { Row } from "./report.ts";
import { restoreCase } from "./restore.ts";
import { runCase } from "./run.ts";
import { splitCase } from "./split.ts";
import { statusCase } from "./status.ts";
import { makeData, makeTree, stretchTree } from "./tree.ts";

type Case = (place: Place, options: Options, rclone: Rclone) => Promise<Row[]>;

/** What each case measures; all but `help`, `du`, `names`, `ledger` and `status` with the rclone given. */
export const cases: Readonly<Record<CaseName, Case>> = {
  help: helpCase,
  sync: syncCase,
  memory: memoryCase,
  choose: chooseCase,
  verify: verifyCase,
  du: duCase,
  names: namesCase,
  ledger: ledgerCase,
  status: statusCase,
  run: runCase,
  prune: pruneCase,
  restore: restoreCase,
  mongo: mongoCase,
  split: splitCase,
};

async function helpCase(place: Place, options: Options): Promise<Row[]> {
  place.say("rclone-backup --help and node -e 0");
  const bare = { program: process.execPath, args: ["-e", "0"], env: place.env };
  // Runs this short are told apart from noise by more of them.
  const pairs = await sideBySide(place, options.runs * 4, helpCommand(place), bare);
  const { ofMedians, ofPairs } = compare(pairs, (own, other) => own / other);
  const what = "`--help`, compared with `node -e 0`";
  const base = { case: "help", what, rclone: null, unit: "times", ...pairs } as const;
  return [row({ ...base, measured: ofMedians, of_pairs: ofPairs }, { atMost: 2 })];
}

async function syncCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { files, runs } = options;
  const [version, amount] = [versionOf(rclone), number(files)];
  const source = path.join(place.root, "files");
  if (!existsSync(source)) {
    place.say(`making ${amount} files`);
    await makeTree(source, files, 100, place.signal);
  }
  const backup = await configure(place, `sync-${rclone.version}`, source, rclone);
  place.say(`rclone ${version}: first backup of ${amount} files`);
  await timed(place, backup.command());
  const bare = await recordCall(
    place,
    rclone,
    backup,
    [],
    ([verb, ...args]) => verb === "sync" && !args.includes("--dry-run"),
  );
  await settle();
  place.say(`rclone ${version}: backups without changes, and the same rclone sync alone`);
  const peaks: number[] = [];
  const pairs = await sideBySide(place, runs, backup.command("--json"), bare, async (run) => {
    await expectNoChange(run, files);
    peaks.push((await backup.used()).memory);
  });
  await remove(place.store);
  const { ofMedians, ofPairs } = compare(pairs, (own, other) => own / other);
  const what = `backup without changes, ${amount} files, compared with bare \`rclone sync\``;
  const base = { case: "sync", rclone: version } as const;
  return [
    row(
      { ...base, what, unit: "times", ...pairs, measured: ofMedians, of_pairs: ofPairs },
      { atMost: 1.2 },
    ),
    memoryRow({ ...base, what: "– its own peak memory" }, peaks, { atMost: 120 * MB }),
  ];
}

async function memoryCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { many } = options;
  const [version, amount] = [versionOf(rclone), number(many)];
  const source = await manyFiles(place, many);
  const backup = await configure(place, `memory-${rclone.version}`, source, rclone);
  place.say(`rclone ${version}: first backup of ${amount} files`);
  await timed(place, backup.command());
  const first = (await backup.used()).memory;
  const peaks: number[] = [];
  for (const turn of ["", "once more, "]) {
    place.say(`rclone ${version}: ${turn}a backup of ${amount} files without changes`);
    await expectNoChange(await timed(place, backup.command("--json")), many);
    peaks.push((await backup.used()).memory);
  }
  await remove(place.store);
  const base = { case: "memory", rclone: version } as const;
  return [
    memoryRow({ ...base, what: `first backup of ${amount} files, own peak memory` }, [first]),
    memoryRow({ ...base, what: "– without changes, own peak memory" }, peaks, {
      atMost: 200 * MB,
    }),
  ];
}

async function chooseCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { many, runs } = options;
  const [version, amount] = [versionOf(rclone), number(many)];
  const source = await manyFiles(place, many);
  place.say("giving them sizes");
  await stretchTree(source, many, place.signal);
  const backup = await configure(place, `choose-${rclone.version}`, source, rclone);
  const args = ["--verify", "data=50%", "-n", "--seed", "1", "--json"];
  const bare = await recordCall(place, rclone, backup, args, ([verb]) => verb === "lsf");
  await settle();
  place.say(`rclone ${version}: choosing half of the bytes, and the same rclone lsf alone`);
  const peaks: number[] = [];
  const pairs = await sideBySide(place, runs, backup.command(...args), bare, async (run) => {
    await expectHalf(run, many);
    peaks.push((await backup.used()).memory);
  });
  const { ofMedians, ofPairs } = compare(pairs, (own, other) => own - other);
  const what = `\`--verify data=50% -n\`, ${amount} files, compared with its \`rclone lsf\``;
  const base = { case: "choose", rclone: version } as const;
  return [
    row(
      { ...base, what, unit: "seconds", ...pairs, measured: ofMedians, of_pairs: ofPairs },
      { atMost: 3 },
    ),
    memoryRow({ ...base, what: "– its own peak memory" }, peaks, { atMost: 250 * MB }),
  ];
}

async function verifyCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { verifyBytes, runs } = options;
  const version = versionOf(rclone);
  const source = path.join(place.root, "data");
  place.say(`making ${formatBytes(verifyBytes)} of data`);
  const files = await makeData(source, verifyBytes, place.signal);
  const backup = await configure(place, `verify-${rclone.version}`, source, rclone);
  place.say(`rclone ${version}: first backup of it`);
  await timed(place, backup.command());
  const args = ["--verify", "all", "--json"];
  const bare = await recordCall(place, rclone, backup, args, ([verb]) => verb === "check");
  await settle();
  place.say(`rclone ${version}: verifying it, and the same rclone check --download alone`);
  const pairs = await sideBySide(place, runs, backup.command(...args), bare, async (run) => {
    await expectVerified(run, files, verifyBytes);
  });
  await remove(place.store);
  await remove(source);
  const { ofMedians, ofPairs } = compare(pairs, (own, other) => other / own);
  const what = `\`--verify all\`, ${formatBytes(verifyBytes)} in ${number(files)} files, throughput compared with bare \`rclone check --download\``;
  const base = { case: "verify", what, rclone: version, unit: "times" } as const;
  return [row({ ...base, ...pairs, measured: ofMedians, of_pairs: ofPairs }, { atLeast: 0.95 })];
}

/** The large tree, which two cases share. */
async function manyFiles(place: Place, many: number): Promise<string> {
  const source = path.join(place.root, "many");
  if (!existsSync(source)) {
    place.say(`making ${number(many)} empty files`);
    await makeTree(source, many, 0, place.signal);
  }
  return source;
}

const count = v.object({ files: v.number(), bytes: v.number() });
const backupDocument = v.object({
  result: v.literal("success"),
  plan: v.object({
    counted_from: v.literal("manifest"),
    source: count,
    added: count,
    changed: count,
    deleted: count,
  }),
});
const verifyDocument = v.object({ pool: count, chosen: count, verified: count });

async function expectNoChange(run: TimedRun, files: number): Promise<void> {
  const document = v.parse(backupDocument, JSON.parse(await readFile(run.output, "utf8")));
  const { source, added, changed, deleted } = document.plan;
  expectThat(
    source.files === files && added.files + changed.files + deleted.files === 0,
    `a backup of ${files} files without changes`,
    document,
  );
}

async function expectHalf(run: TimedRun, files: number): Promise<void> {
  const document = v.parse(verifyDocument, JSON.parse(await readFile(run.output, "utf8")));
  const { pool, chosen } = document;
  expectThat(
    pool.files === files && chosen.bytes >= pool.bytes / 2 && chosen.files < files,
    `half of ${files} files to be chosen`,
    document,
  );
}

async function expectVerified(run: TimedRun, files: number, bytes: number): Promise<void> {
  const document = v.parse(verifyDocument, JSON.parse(await readFile(run.output, "utf8")));
  const { verified } = document;
  expectThat(
    verified.files === files && verified.bytes === bytes,
    `${files} files to be verified`,
    document,
  );
}
