import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import type { Rclone } from "../../test/helpers/rclones.ts";
import { versionOf } from "./machine.ts";
import { compare, expectThat, sideBySide, timed, type Command } from "./measure.ts";
import type { Options } from "./options.ts";
import { programOf, remove, settle, type Place } from "./place.ts";
import { number, row, type Row } from "./report.ts";
import { makeTree } from "./tree.ts";

/** Files of each backup: few, for what is to be seen is what comes on top of a backup. */
const filesEach = 20;

const nightDocument = v.object({ backups: v.array(v.object({ result: v.literal("success") })) });

/** `rclone-backups run`, and the same backups started by a shell, one after another and two at once. */
export async function runCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { backups, runs } = options;
  const [version, amount] = [versionOf(rclone), number(backups)];
  place.say(`making ${amount} backups of ${filesEach} files`);
  const directory = path.join(place.root, "config", "run");
  const files = await makeBackups(place, directory, backups, rclone);
  const list = path.join(place.root, "run.list");
  await writeFile(list, files.map((file) => `${file}\0`).join(""));
  const defaults = path.join(place.root, "run.defaults");
  await writeFile(defaults, "VERIFY_BUDGET=0\n");
  const env = { ...place.env, RCLONE_BACKUPS_DEFAULTS: defaults };
  const rows: Row[] = [];
  for (const jobs of [1, 2]) {
    const at = ["-j", String(jobs), "--no-verify", "--json", "--config-dir", directory];
    const words = [programOf(place, "rclone-backups"), "run", ...at];
    const ours = { program: process.execPath, args: words, env };
    const each = [process.execPath, programOf(place, "rclone-backup")];
    const bare: Command = {
      program: "xargs",
      args: ["-0", "-n", "1", "-P", String(jobs), ...each],
      input: list,
      env,
    };
    // The first backups store the files.
    if (jobs === 1) await timed(place, ours);
    await settle();
    place.say(`rclone ${version}: rclone-backups run -j ${jobs}, and the same backups by xargs`);
    const pairs = await sideBySide(place, runs, ours, bare, async ({ output }) => {
      const night = v.parse(nightDocument, JSON.parse(await readFile(output, "utf8")));
      expectThat(night.backups.length === backups, `${amount} backups`, night);
    });
    const { ofMedians, ofPairs } = compare(pairs, (own, other) => own / other);
    const what = `\`rclone-backups run -j ${jobs} --no-verify\`, ${amount} backups without changes, compared with the same \`rclone-backup\` commands by \`xargs -P ${jobs}\``;
    rows.push(
      row(
        {
          ...{ case: "run", what, rclone: version, unit: "times", ...pairs },
          ...{ measured: ofMedians, of_pairs: ofPairs },
        },
        { atMost: 1.03 },
      ),
    );
  }
  await remove(place.store);
  return rows;
}

/** Configurations of a directory of their own, each with a source. */
async function makeBackups(
  place: Place,
  directory: string,
  backups: number,
  rclone: Rclone,
): Promise<string[]> {
  await mkdir(directory);
  const files: string[] = [];
  for (let at = 0; at < backups; at += 1) {
    const name = `host${String(at).padStart(3, "0")}`;
    const source = path.join(place.root, "run", name);
    await makeTree(source, filesEach, 100, place.signal);
    const file = path.join(directory, `${name}.conf`);
    await writeFile(
      file,
      `[default]\nsource = ${source}\ndestination = secret:run/${name}\n[rclone]\nprogram = ${rclone.path}\nconfig = ${place.rcloneConf}\n`,
    );
    files.push(file);
  }
  return files;
}
