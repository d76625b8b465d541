import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { writeManifest } from "../../lib/manifest/manifest.ts";
import type { Entry } from "../../lib/manifest/entry.ts";
import type { Pages } from "../../lib/manifest/pages.ts";
import { rawFromBytes } from "../../lib/units/rawpath.ts";
import { bundle } from "./bundle.ts";
import { compare, expectThat, sideBySide, timed } from "./measure.ts";
import type { Options } from "./options.ts";
import { remove } from "./place.ts";
import type { Place } from "./place.ts";
import { MB, memoryRow, number, row } from "./report.ts";
import type { Row } from "./report.ts";
import { readUsed, watched } from "./used.ts";

const figures = v.object({ files: v.number(), chosen: v.number(), never: v.number() });

/** So many bytes a file on average. */
const meanSize = 5_000_000;

/** One night of the ledger, without the reading back. */
export async function ledgerCase(place: Place, options: Options): Promise<Row[]> {
  const { many, runs } = options;
  const amount = number(many);
  place.say(`a manifest of ${amount} files`);
  const directory = path.join(place.root, "ledger");
  await mkdir(path.join(directory, "scratch"), { recursive: true });
  const header = { binding: "b", source: "/", destination: "x:", run: "1", listedAt: "now" };
  await writeManifest(path.join(directory, "manifest.gz"), header, entries(many));
  const program = await bundle(place, new URL("./ledgerprogram.ts", import.meta.url));
  const used = path.join(place.root, "used");
  // The first two nights fill the ledger: each reads half of the files.
  const half = String((many * meanSize) / 2);
  for (const budget of [half, half])
    await timed(place, watched(place, used, program, "night", directory, budget));
  const ours = watched(place, used, program, "night", directory, String(2 ** 30));
  const bare = { program: process.execPath, args: [program, "read", directory], env: place.env };
  place.say("choosing from it and writing down, and reading it alone");
  const peaks: number[] = [];
  const pairs = await sideBySide(place, runs, ours, bare, async ({ output }) => {
    const found = v.parse(figures, JSON.parse(await readFile(output, "utf8")));
    expectThat(found.files === many && found.chosen > 0, `some of ${amount} files`, found);
    peaks.push((await readUsed(used)).memory);
  });
  await remove(directory);
  const { ofMedians } = compare(pairs, (own) => own);
  const what = `the ledger's night of ${amount} files: choosing 1 GiB and writing down; reading the manifest beside it`;
  const base = { case: "ledger", rclone: null } as const;
  return [
    row({ ...base, what, unit: "elapsed", ...pairs, measured: ofMedians }, { atMost: 2 }),
    memoryRow({ ...base, what: "– its own peak memory" }, peaks, { atMost: 150 * MB }),
  ];
}

/** Names as long as names are, 100 to a directory. */
async function* entries(many: number): Pages<Entry> {
  const perPage = 4000;
  for (let from = 0; from < many; from += perPage) {
    yield Array.from({ length: Math.min(perPage, many - from) }, (_, at) => entry(from + at));
  }
}

function entry(at: number): Entry {
  const directory = String(Math.floor(at / 100)).padStart(6, "0");
  const name = `photos/directory ${directory}/a file named ${String(at).padStart(8, "0")}.jpg`;
  const size = ((at * 2_654_435_761) % 2 ** 32) % (2 * meanSize);
  const time = `2024-05-06T07:08:${String(at % 60).padStart(2, "0")}.123456789Z`;
  return { path: rawFromBytes(name), size, time };
}
