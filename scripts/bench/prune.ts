import { readFile } from "node:fs/promises";
import path from "node:path";
import * as v from "valibot";
import type { Rclone } from "../../test/helpers/rclones.ts";
import { startB2, storedName } from "./b2.ts";
import type { B2 } from "./b2.ts";
import { bundle } from "./bundle.ts";
import { versionOf } from "./machine.ts";
import { compare, expectThat, sideBySide, timed } from "./measure.ts";
import type { Options } from "./options.ts";
import { configure, remove, settle } from "./place.ts";
import type { BackupUnderTest, Place } from "./place.ts";
import { MB, memoryRow, number, row } from "./report.ts";
import type { Row } from "./report.ts";
import { readUsed, watched } from "./used.ts";

const directory = "home";

const retention = `[retention]
/user 1/ = forever
**/*.tmp = none
**/*.log = one_month
`;

/** Planning a prune, compared with fetching and parsing the same listing. */
export async function pruneCase(place: Place, options: Options, rclone: Rclone): Promise<Row[]> {
  const { versions, mostVersions } = options;
  const rows = await withVersions(place, "prune", versions, rclone, (backup, b2) =>
    timeAndMemory(place, options, rclone, backup, b2),
  );
  if (mostVersions === undefined) return rows;
  const most = await withVersions(place, "prune-most", mostVersions, rclone, async (backup, b2) => {
    place.say(`planning a prune of ${number(mostVersions)} versions`);
    await timed(place, quiet(backup));
    await expectServed(b2, mostVersions);
    const { memory } = await backup.used();
    const what = `– its own peak memory, ${number(mostVersions)} versions`;
    return memoryRow({ case: "prune", what, rclone: versionOf(rclone) }, [memory], {
      atMost: 150 * MB,
    });
  });
  return [...rows, most];
}

/** Lets `act` measure with a server that lists so many versions. */
async function withVersions<T>(
  place: Place,
  what: string,
  versions: number,
  rclone: Rclone,
  act: (backup: BackupUnderTest, b2: B2) => Promise<T>,
): Promise<T> {
  place.say(`starting a B2 server with ${number(versions)} versions`);
  const name = `${what}-${versions}-${rclone.version}`;
  const b2 = await startB2(place, name, "listing", { directory, versions, files: [] });
  try {
    const { rcloneConf } = b2;
    const source = path.join(place.root, "home");
    const setting = { destination: `hidden:${directory}`, rcloneConf, more: retention };
    return await act(await configure(place, name, source, rclone, setting), b2);
  } finally {
    await b2.close();
    await remove(path.join(place.root, `${name} pages`));
  }
}

async function timeAndMemory(
  place: Place,
  { versions, runs }: Options,
  rclone: Rclone,
  backup: BackupUnderTest,
  b2: B2,
): Promise<Row[]> {
  await expectPlan(place, backup, versions);
  const { served } = b2;
  const { atOnce } = await served();
  const barely = path.join(place.scratch, "pages.used");
  const program = await bundle(place, new URL("./pagesprogram.ts", import.meta.url));
  const prefix = `${await storedName(place, rclone, directory)}/`;
  const where = [b2.url, b2.keyId, b2.key, "listing", prefix, String(atOnce)];
  const bare = watched(place, barely, program, ...where);
  await settle();
  place.say(`planning a prune of ${number(versions)} versions, and their pages alone`);
  const used = { ours: [] as number[], bare: [] as number[], memory: [] as number[] };
  const pairs = await sideBySide(
    place,
    runs,
    { ...quiet(backup), prepare: async () => void (await served()) },
    { ...bare, prepare: async () => void (await served()) },
    async () => {
      await expectServed(b2, versions);
      const { memory, processor } = await backup.used();
      used.ours.push(processor);
      used.memory.push(memory);
    },
    async () => {
      await expectServed(b2, versions);
      used.bare.push((await readUsed(barely)).processor);
    },
  );
  const elapsed = compare(pairs, ratio);
  const processor = compare(used, ratio);
  const what = `\`rclone-prune -n\`, ${number(versions)} versions, compared with fetching and parsing their pages`;
  const base = { case: "prune", rclone: versionOf(rclone), unit: "times" } as const;
  return [
    row(
      { ...base, what, ...pairs, measured: elapsed.ofMedians, of_pairs: elapsed.ofPairs },
      { atMost: 1.3 },
    ),
    row(
      {
        ...{ ...base, what: "– its own processor time", ours: used.ours, bare: used.bare },
        ...{ measured: processor.ofMedians, of_pairs: processor.ofPairs },
      },
      "none",
    ),
    memoryRow({ ...base, what: "– its own peak memory" }, used.memory, { atMost: 150 * MB }),
  ];
}

function ratio(own: number, other: number): number {
  return own / other;
}

function quiet(backup: BackupUnderTest): ReturnType<BackupUnderTest["other"]> {
  return backup.other("rclone-prune", "-n", "-q");
}

const pruneDocument = v.object({
  kind: v.literal("prune"),
  seen: v.object({ versions: v.number() }),
  planned: v.object({ versions: v.number() }),
  undecodable: v.literal(0),
});

/** That it sees all and lets some of it go, which the quiet runs don't tell. */
async function expectPlan(place: Place, backup: BackupUnderTest, versions: number): Promise<void> {
  const { output } = await timed(place, backup.other("rclone-prune", "-n", "--json"));
  const last = (await readFile(output, "utf8")).trimEnd().split("\n").at(-1) ?? "";
  const found = v.parse(pruneDocument, JSON.parse(last));
  const { seen, planned } = found;
  expectThat(
    seen.versions === versions && planned.versions > 0 && planned.versions < versions,
    `some of ${versions} versions to be let go`,
    found,
  );
}

async function expectServed(b2: B2, versions: number): Promise<void> {
  const served = await b2.served();
  expectThat(served.versions === versions, `${versions} versions to be listed`, served);
}
