import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import { startMongo } from "../../test/helpers/ferretdb.ts";
import { bundle } from "./bundle.ts";
import { compare, expectThat, median, sideBySide, timed, type Command } from "./measure.ts";
import type { Options } from "./options.ts";
import { Aside, remove, settle, type Place } from "./place.ts";
import { MB, memoryRow, number, row, type Row } from "./report.ts";
import { readUsed, watched } from "./used.ts";

const exported = v.object({ documents: v.number(), added: v.number() });
const imported = v.object({ inserted: v.number() });

/** mongo-export and mongo-import of many small documents, and what the same takes bare. */
export async function mongoCase(place: Place, options: Options): Promise<Row[]> {
  const ends: (() => unknown)[] = [];
  try {
    const server = await startMongo({ after: (end) => void ends.push(end) });
    return await measureMongo(place, options, server.uri);
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

async function measureMongo(place: Place, { many, runs }: Options, uri: string): Promise<Row[]> {
  const amount = number(many);
  const program = await bundle(place, new URL("./mongoprogram.ts", import.meta.url));
  const bare = (mode: string, ...args: readonly string[]): Command => ({
    program: process.execPath,
    args: [program, mode, uri, ...args],
    env: place.env,
  });
  const usedFile = path.join(place.scratch, "mongo.used");
  const to = path.join(place.root, "mongo");
  const own = (name: string, ...args: readonly string[]): Command => {
    const command = watched(
      place,
      usedFile,
      path.join(place.root, "dist/exporters", `${name}.js`),
      "--json",
      ...args,
    );
    return { ...command, env: { ...command.env, MONGODB_URI: uri } };
  };
  const exporting = own("mongo-export", "--to", to, "--exclude", "copy.*");
  const peaks: number[] = [];
  const expectAdded =
    (added: number) =>
    async ({ output }: { readonly output: string }): Promise<void> => {
      const found = v.parse(exported, JSON.parse(await readFile(output, "utf8")));
      expectThat(found.documents === many && found.added === added, `${added} new`, found);
      peaks.push((await readUsed(usedFile)).memory);
    };
  place.say(`inserting ${amount} documents`);
  await timed(place, bare("drop", "bench"));
  const fill = bare("insert", String(many));
  await timed(place, fill);
  const pack = path.join(place.root, "mongo.pack");
  await timed(place, bare("pack", pack));
  await settle();

  place.say(
    `mongo-export of ${amount} documents for the first time, and writing the same files bare`,
  );
  const written = path.join(place.root, "mongo-bare");
  const aside = new Aside();
  const putAside = async (directory: string): Promise<void> => {
    await aside.put(directory);
    // mongo-export syncs the file system: not what the other one left unwritten, too.
    await settle();
  };
  const first = await sideBySide(
    place,
    runs,
    { ...exporting, prepare: async () => putAside(to) },
    { ...bare("write", written, pack), prepare: async () => putAside(written) },
    expectAdded(many),
  );
  await remove(written);
  await aside.remove();
  await settle();

  place.say("mongo-export without changes, and draining the same cursor");
  const second = await sideBySide(place, runs, exporting, bare("drain"), expectAdded(0));

  place.say("mongo-import, and inserting in batches");
  const importing = own("mongo-import", "--from", to, "--database", "bench", "--as", "copy");
  const drop = async (name: string): Promise<void> => void (await timed(place, bare("drop", name)));
  const third = await sideBySide(
    place,
    runs,
    { ...importing, prepare: async () => drop("copy") },
    { ...fill, prepare: async () => drop("bench") },
    async ({ output }) => {
      const found = v.parse(imported, JSON.parse(await readFile(output, "utf8")));
      expectThat(found.inserted === many, `${amount} inserted`, found);
    },
  );
  await remove(to);

  const base = { case: "mongo", rclone: null, unit: "times" } as const;
  // The slower of both is what a first export can't do without.
  const slower = Math.max(median(first.bare), median(second.bare));
  const secondFigure = compare(second, rate);
  const thirdFigure = compare(third, rate);
  // What verification can't do without: each document is read back.
  const floor = median(third.bare) + median(second.bare);
  return [
    row(
      {
        ...base,
        what: `first \`mongo-export\` of ${amount} documents, rate compared with the slower of draining the cursor and writing the files bare`,
        ...first,
        measured: slower / median(first.ours),
      },
      { atLeast: 0.7 },
    ),
    row(
      {
        ...base,
        what: "– without changes, rate compared with draining the same cursor",
        ...second,
        measured: secondFigure.ofMedians,
        of_pairs: secondFigure.ofPairs,
      },
      { atLeast: 0.8 },
    ),
    memoryRow({ ...base, what: "– its own peak memory" }, peaks, { atMost: 300 * MB }),
    row(
      {
        ...base,
        what: "`mongo-import` of them, verification included, rate compared with bare batched inserts",
        ...third,
        measured: thirdFigure.ofMedians,
        of_pairs: thirdFigure.ofPairs,
      },
      { atLeast: 0.7 },
    ),
    row(
      {
        ...base,
        what: "– rate compared with inserting them and then draining the cursor",
        ours: third.ours,
        bare: third.bare.map((time) => time + median(second.bare)),
        measured: floor / median(third.ours),
      },
      "none",
    ),
  ];
}

/** How fast ours is, as a share of what it is compared with. */
function rate(ours: number, other: number): number {
  return other / ours;
}
