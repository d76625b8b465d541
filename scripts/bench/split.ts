import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import * as v from "valibot";
import { traces } from "../../test/helpers/splitting.ts";
import { formatBytes } from "../../lib/units/format.ts";
import { compare, expectThat, median, sideBySide, timed, type Command } from "./measure.ts";
import type { Options } from "./options.ts";
import { remove, settle, type Place } from "./place.ts";
import { MB, memoryRow, row, type Row } from "./report.ts";
import { readUsed, watched } from "./used.ts";

const split = v.object({ bytes: v.number(), unchanged: v.number(), files: v.number() });

/** mysql-split of a large dump into an empty directory and once more, next to `cat` of the dump into a file. */
export async function splitCase(place: Place, { dumpBytes, runs }: Options): Promise<Row[]> {
  const file = path.join(place.root, "dump.sql");
  const copy = path.join(place.root, "dump.copy");
  const to = path.join(place.root, "dump");
  place.say(`writing a dump of ${formatBytes(dumpBytes)}`);
  await pipeline(dump(dumpBytes), createWriteStream(file), { signal: place.signal });
  const usedFile = path.join(place.scratch, "split.used");
  const program = path.join(place.root, "dist/exporters/mysql-split.js");
  const again = watched(place, usedFile, program, "--json", "--to", to, file);
  // What one leaves to be written by the system would otherwise be written while the other runs.
  const prepare = async (): Promise<void> => {
    await Promise.all([copy, to].map(remove));
    await settle();
  };
  const first: Command = { ...again, prepare };
  const cat: Command = {
    program: "sh",
    args: ["-c", 'cat "$1" > "$2"', "sh", file, copy],
    env: place.env,
    prepare,
  };
  const synced: Command = {
    ...cat,
    args: ["-c", 'cat "$1" > "$2" && sync "$2"', "sh", file, copy],
  };
  const peaks: number[] = [];
  const look = async ({ output }: { readonly output: string }, isFirst: boolean): Promise<void> => {
    const found = v.parse(split, JSON.parse(await readFile(output, "utf8")));
    expectThat(found.unchanged === (isFirst ? 0 : found.files), "all new, or nothing", found);
    peaks.push((await readUsed(usedFile)).memory);
  };
  place.say("mysql-split into an empty directory, and cat into a file");
  const firsts = await sideBySide(place, runs, first, cat, async (run) => look(run, true));
  place.say("the same, and cat into a file that is synced");
  const durable = await sideBySide(place, runs, first, synced, async (run) => look(run, true));
  place.say("mysql-split of the same dump again");
  await timed(place, first);
  await timed(place, again);
  const before = await traces(to);
  const seconds: number[] = [];
  for (let at = 0; at < runs; at += 1) {
    const run = await timed(place, again);
    await look(run, false);
    seconds.push(run.seconds);
  }
  const after = await traces(to);
  expectThat(after.join("\n") === before.join("\n"), "no write", after.slice(0, 3));
  await Promise.all([file, copy, to].map(remove));
  const ratio = compare(firsts, throughput);
  const durableRatio = compare(durable, throughput);
  const what = `throughput of \`mysql-split\` of a dump of ${formatBytes(dumpBytes)}, compared with \`cat dump > file\``;
  const base = { case: "split", rclone: null, unit: "times" } as const;
  return [
    row(
      { ...base, what, ...firsts, measured: ratio.ofMedians, of_pairs: ratio.ofPairs },
      { atLeast: 0.6 },
    ),
    row(
      {
        ...base,
        what: "– compared with `cat dump > file && sync file`, which leaves it on the disk too",
        ...durable,
        measured: durableRatio.ofMedians,
        of_pairs: durableRatio.ofPairs,
      },
      "none",
    ),
    row(
      {
        ...base,
        what: "– throughput of the second run, which changes nothing, compared with the first",
        ours: seconds,
        bare: firsts.ours,
        measured: median(firsts.ours) / median(seconds),
      },
      { atLeast: 1 },
    ),
    memoryRow({ case: "split", rclone: null, what: "– its own peak memory" }, peaks, {
      atMost: 100 * MB,
    }),
  ];
}

function throughput(own: number, other: number): number {
  return other / own;
}

/** A dump as mysqldump writes it: one table with a row a line, each of about 190 bytes. */
function* dump(bytes: number): Generator<string> {
  yield "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n-- ------------------------------------------------------\n\n";
  yield "--\n-- Table structure for table `orders`\n--\n\nCREATE TABLE `orders` (\n  `id` int\n);\n";
  yield "\n--\n-- Dumping data for table `orders`\n--\n\nLOCK TABLES `orders` WRITE;\n";
  let id = 0;
  for (let written = 0; written < bytes;) {
    let text = "";
    for (let at = 0; at < 1000; at += 1) {
      id += 1;
      const mixed = (Math.imul(id, 2_654_435_761) >>> 0).toString(36).padStart(7, "0");
      text += `INSERT INTO \`orders\` VALUES (${id},'${mixed} ${mixed} some customer','2026-01-${10 + (id % 20)}',${id % 977},'${mixed}${mixed} a comment that goes on for a while, as comments do','none',NULL,1,0.00);\n`;
    }
    written += text.length;
    yield text;
  }
  yield "UNLOCK TABLES;\n\n-- Dump completed\n";
}
