import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { bundle } from "./bundle.ts";
import { expectThat, median, timed } from "./measure.ts";
import type { Options } from "./options.ts";
import type { Place } from "./place.ts";
import { number, row } from "./report.ts";
import type { Row } from "./report.ts";

const figures = v.object({
  done: v.number(),
  wrong: v.number(),
  processor: v.number(),
});

/** Decrypting names, without what they are decrypted for. */
export async function namesCase(place: Place, options: Options): Promise<Row[]> {
  const { many, runs } = options;
  place.say(`decrypting ${number(many)} path segments`);
  const program = await bundle(place, new URL("./decodeprogram.ts", import.meta.url));
  const command = { program: process.execPath, args: [program, String(many)], env: place.env };
  await timed(place, command);
  const rates: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const { output } = await timed(place, command);
    const { done, wrong, processor } = v.parse(figures, JSON.parse(await readFile(output, "utf8")));
    expectThat(wrong === 0 && done >= many, `${many} names decrypted`, { done, wrong });
    // Of all threads, the compiler's and the garbage collector's too: what one core would need.
    // A few names take less than the clock can tell.
    rates.push(done / Math.max(processor, 0.001));
  }
  const what = `names decrypted, ${number(many)} path segments of 8 to 47 bytes, one core`;
  const base = { case: "names", what, rclone: null, unit: "rate" } as const;
  return [row({ ...base, ours: rates, bare: [], measured: median(rates) }, { atLeast: 1_000_000 })];
}
