import { createReadStream } from "node:fs";
import { join } from "node:path";
import { systemCode } from "../../errors.ts";
import { DamagedManifest } from "../../manifest/gziplines.ts";
import type { Pages } from "../../manifest/pages.ts";
import {
  readRunManifest,
  runKinds,
  type RunManifestHeader,
  type RunManifestKind,
} from "../../manifest/runs.ts";
import { linePages } from "../../manifest/textpages.ts";
import { sortFile } from "../../process/sort.ts";
import { LineSpool } from "../../process/spool.ts";
import { rawFromBytes, type RawPath } from "../../units/rawpath.ts";
import { readableHere, type DirContext } from "./context.ts";
import { fetchManifests } from "./fetch.ts";
import { cutRuns, listRuns, manifestName, type HistoryRun } from "./runs.ts";
import { listStoredRuns } from "./storedruns.ts";
import type { KnownRun, Told } from "./timeline.ts";

/** What the runs' manifests say, sorted by path on disk. */
export interface Known {
  readonly runs: readonly KnownRun[];
  /** A line of some run about a path. */
  readonly lines: () => Pages<ToldLine>;
}

export interface ToldLine extends Told {
  readonly path: RawPath;
}

/**
 * Reads the manifests of all runs once and sorts what they say by path: memory does not grow with it.
 * `name` tells temporaries apart: what was read before may be in use.
 */
export async function readTold(context: DirContext, name: string): Promise<Known> {
  const { rclone, history, tuning, scratch, signal } = context;
  const stored = readableHere(context, history);
  const found =
    (stored === undefined ? undefined : await listStoredRuns(stored)) ??
    (await listRuns(rclone, history, tuning, signal));
  const cut = new Set(cutRuns(found));
  const spool = new LineSpool(join(scratch, `${name}.told`));
  const manifests = await spoolManifests(context, found, spool);
  const runs: KnownRun[] = [];
  let latest = 0;
  for (const run of found) {
    const { header, kind } = manifests.get(run.id) ?? {};
    const time = header === undefined ? run.startedAt : Date.parse(header.startedAt);
    const uncertain = header?.uncertain !== false || kind === "intent" || time < latest;
    latest = Math.max(latest, time);
    const full = kind === "outcome" && header?.full === true;
    runs.push({ id: run.id, time, uncertain, cut: cut.has(run), full });
  }
  spool.close();
  const sorted = `${spool.file}.sorted`;
  await sortFile(spool.file, sorted, scratch, { signal });
  return { runs, lines: () => readLines(sorted) };
}

/** What the head of a run's manifest says. */
interface Head {
  readonly header: RunManifestHeader | undefined;
  readonly kind: RunManifestKind;
}

/**
 * Fetches what tells most of each run, and spools it: its outcome, or its intent where there is no outcome
 * or a damaged one. What is damaged says nothing.
 */
async function spoolManifests(
  context: DirContext,
  runs: readonly HistoryRun[],
  spool: LineSpool,
): Promise<ReadonlyMap<string, Head>> {
  const found = new Map<string, Head>();
  for (const kind of ["outcome", "intent"] as const) {
    const wanted = [...runs.entries()].filter(([, run]) => run[kind] && !found.has(run.id));
    const directory = await fetchManifests(
      context,
      wanted.map(([, { id }]) => manifestName(id, kind)),
    );
    for (const [at, { id }] of wanted) {
      const before = spool.length;
      try {
        const file = join(directory, manifestName(id, kind));
        found.set(id, { header: await spoolManifest(file, kind, at, spool), kind });
      } catch (error) {
        if (!(error instanceof DamagedManifest) && systemCode(error) !== "ENOENT") throw error;
        // Only its end tells that it is damaged.
        spool.cut(before);
      }
    }
  }
  return found;
}

async function spoolManifest(
  file: string,
  kind: RunManifestKind,
  at: number,
  spool: LineSpool,
): Promise<RunManifestHeader | undefined> {
  let header: RunManifestHeader | undefined;
  const order = String(at).padStart(8, "0");
  for await (const page of readRunManifest(file, kind, (read) => (header = read)))
    for (const line of page) {
      const unsure = line.uncertain === true || header?.uncertain === true;
      const mark = kind === "intent" ? "p" : unsure ? "?" : "";
      spool.write(`${line.path}\t${order}\t${line.kind}\t${line.size}\t${line.time}\t${mark}`);
    }
  return header;
}

async function* readLines(file: string): Pages<ToldLine> {
  for await (const lines of linePages(createReadStream(file, { highWaterMark: 256 * 1024 })))
    yield lines.map(parseLine);
}

function parseLine(text: string): ToldLine {
  const [path = "", order, word, size, time = "", mark = ""] = text.split("\t");
  return {
    path: rawFromBytes(path),
    run: Number(order),
    kind: runKinds.find((kind) => kind === word) ?? "held",
    size: Number(size),
    time,
    uncertain: mark !== "",
    planned: mark === "p",
  };
}
