import { createWriteStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { failed } from "../../lib/errors.ts";
import { median, sideBySide } from "./measure.ts";
import type { Options } from "./options.ts";
import { programOf, settle, type Place } from "./place.ts";
import { MB, memoryRow, number, row, type Row } from "./report.ts";
import { readUsed, watched } from "./used.ts";

const perDirectory = 20;

/** `rclone-du -` over a listing as `rclone ls` writes it, next to `cat` of the same file. */
export async function duCase(place: Place, options: Options): Promise<Row[]> {
  const { many, runs } = options;
  const amount = number(many);
  const file = path.join(place.root, "listing");
  if (!existsSync(file)) {
    place.say(`writing a listing of ${amount} lines`);
    await pipeline(listing(many), createWriteStream(file), { signal: place.signal });
  }
  const usedFile = path.join(place.scratch, "du.used");
  const du = { ...watched(place, usedFile, programOf(place, "rclone-du"), "-"), input: file };
  const cat = { program: "cat", args: [], env: place.env, input: file };
  await settle();
  place.say(`rclone-du - of ${amount} lines, and cat of the same`);
  const peaks: number[] = [];
  const pairs = await sideBySide(place, runs, du, cat, async ({ output }) => {
    const last = (await readFile(output, "utf8")).trimEnd().split("\n").at(-1);
    const expected = `${sumOf(many)} .`;
    if (last !== expected) throw failed(`rclone-du: expected ${expected}, found ${last}`);
    peaks.push((await readUsed(usedFile)).memory);
  });
  const what = `\`rclone-du -\`, ${amount} lines in ${number(Math.ceil(many / perDirectory))} directories; \`cat\` beside it`;
  const common = { case: "du", rclone: null } as const;
  return [
    row(
      { ...common, what, unit: "elapsed", ...pairs, measured: median(pairs.ours) },
      { atMost: 3 },
    ),
    memoryRow({ ...common, what: "– its own peak memory" }, peaks, { atMost: 200 * MB }),
  ];
}

function* listing(lines: number): Generator<string> {
  for (let from = 0; from < lines; from += 1000) {
    let text = "";
    for (let at = from; at < Math.min(from + 1000, lines); at += 1) {
      const directory = Math.floor(at / perDirectory);
      text += `${String(sizeOf(at)).padStart(9)} home/user${directory % 10}/projects/directory-${directory}/some file ${at}.txt\n`;
    }
    yield text;
  }
}

function sizeOf(at: number): number {
  return (at * 7919) % 1_000_003;
}

function sumOf(lines: number): number {
  let sum = 0;
  for (let at = 0; at < lines; at += 1) sum += sizeOf(at);
  return sum;
}
