import { join } from "node:path";
import { failed } from "../../errors.ts";
import type { Entry } from "../../manifest/entry.ts";
import { readListing } from "../../manifest/listingfile.ts";
import { merge, type Pages } from "../../manifest/pages.ts";
import { writeScratch } from "../../process/scratchfile.ts";
import { onlyRules } from "../../rclone/exact.ts";
import { listFiles, LocationMissing } from "../../rclone/listing.ts";
import { rawFromBytes, rawFromText, type RawPath } from "../../units/rawpath.ts";
import { Stopper } from "../stopper.ts";
import { readableHere, type DirContext } from "./context.ts";
import { plainListing } from "./stored.ts";
import { listStored } from "./storedlisting.ts";
import type { PathFacts } from "./timeline.ts";
import type { Known } from "./told.ts";

/** Which paths are asked for: exactly one file, or all below a prefix that ends in `/` or is empty. */
export interface Scope {
  readonly path: RawPath;
  readonly exactly: boolean;
}

/** Length of a run's id and the slash behind it: what does not count when listings are sorted. */
const idLength = "000000-20060102T150405Z/".length;

/**
 * All that is known of each path in a scope, sorted by path: the listing of the destination, one
 * listing of all dated directories, and what the manifests say, which are read meanwhile. `name` tells
 * temporaries apart.
 */
export async function* gatherFacts(
  given: DirContext,
  learning: Promise<Known>,
  scope: Scope,
  name: string,
): Pages<PathFacts> {
  const asideRules = scope.path === "" ? ["- /*"] : rulesFor(scope, true);
  const stopper = new Stopper(given.signal);
  const context = { ...given, signal: stopper.signal };
  const [there, aside, known] = await Promise.all([
    list(
      context,
      context.destination,
      `${name}-there`,
      scope.path === "" ? [] : rulesFor(scope, false),
      { whole: scope.path === "", dated: false },
    ),
    list(context, context.history, `${name}-aside`, asideRules, {
      ...{ whole: scope.path === "", dated: true },
    }),
    learning,
  ]).finally(() => stopper.stop());
  const runs = new Map(known.runs.map(({ id }, at) => [id, at]));
  const current = within(readListing(there), scope);
  const set = grouped(within(asideOf(readListing(aside), runs), scope));
  const told = grouped(within(known.lines(), scope));
  for await (const page of merge(pairs(merge(current, set)), told))
    yield page.flatMap(([held, said]) => {
      const path = held?.path ?? said?.path;
      if (path === undefined) return [];
      const [entry, old] = held?.pair ?? [];
      return [{ path, current: entry, aside: old?.items ?? [], told: said?.items ?? [] }];
    });
}

function rulesFor({ path, exactly }: Scope, anyTop: boolean): string[] {
  return onlyRules(exactly ? path : rawFromBytes(path.slice(0, -1)), !exactly, anyTop);
}

/**
 * Lists a place into a sorted file; an empty one where it does not exist. `whole`: the rules name
 * nothing, so that they also hold for encrypted names. `dated`: it is that of the dated directories, beside which are manifests.
 */
async function list(
  context: DirContext,
  location: string,
  name: string,
  rules: readonly string[],
  { whole, dated }: { readonly whole: boolean; readonly dated: boolean },
): Promise<string> {
  const { rclone, features, tuning, scratch, signal } = context;
  const stored = whole ? context.stored?.(location) : undefined;
  const output = join(scratch, `${name}.listing`);
  const sortFrom = dated ? idLength : undefined;
  const here = whole ? readableHere(context, location) : undefined;
  if (here !== undefined) {
    if (await listStored(here, { output, scratch, below: dated, sortFrom, signal })) return output;
  }
  const filterFile = join(scratch, `${name}.rules`);
  await writeScratch(filterFile, rules.map((rule) => `${rule}\n`).join(""));
  try {
    const { complete, unreadable } = await listFiles(rclone, features, tuning, {
      ...{ filterFile, output, scratch, signal, what: "history" },
      ...(stored === undefined
        ? { location }
        : {
            location: stored.location,
            through: (lines) => plainListing(stored.names, lines),
          }),
      ...(sortFrom === undefined ? {} : { sortFrom }),
    });
    if (!complete)
      throw failed(
        `history: expected a whole listing, found what can't be read: ${unreadable[0]?.reason ?? "no reason told"}`,
      );
  } catch (error) {
    if (!(error instanceof LocationMissing)) throw error;
    await writeScratch(output, "");
  }
  return output;
}

interface Aside {
  readonly path: RawPath;
  readonly run: number;
  readonly entry: Entry;
}

/** Takes `RUN/path` apart; what is in no run's directory is none of ours. */
async function* asideOf(pages: Pages<Entry>, runs: ReadonlyMap<string, number>): Pages<Aside> {
  for await (const page of pages)
    yield page.flatMap((entry) => {
      const slash = entry.path.indexOf("/");
      const run = runs.get(entry.path.slice(0, slash));
      if (run === undefined) return [];
      return [{ path: rawFromBytes(entry.path.slice(slash + 1)), run, entry }];
    });
}

/** Rules can't name bytes that are not UTF-8, so a listing may hold more than was asked for. */
async function* within<T extends { readonly path: RawPath }>(
  pages: Pages<T>,
  { path, exactly }: Scope,
): Pages<T> {
  for await (const page of pages) {
    if (!exactly && path === "") yield page;
    else yield page.filter((item) => (exactly ? item.path === path : item.path.startsWith(path)));
  }
}

interface Group<T> {
  readonly path: RawPath;
  readonly items: T[];
}

/** Puts what stands under one path together. */
async function* grouped<T extends { readonly path: RawPath }>(pages: Pages<T>): Pages<Group<T>> {
  let open: Group<T> | undefined;
  for await (const page of pages) {
    const done: Group<T>[] = [];
    for (const item of page) {
      if (open?.path === item.path) open.items.push(item);
      else {
        if (open !== undefined) done.push(open);
        open = { path: item.path, items: [item] };
      }
    }
    if (done.length > 0) yield done;
  }
  if (open !== undefined) yield [open];
}

async function* pairs<A extends { readonly path: RawPath }, B extends { readonly path: RawPath }>(
  pages: Pages<readonly [A | undefined, B | undefined]>,
): Pages<{ readonly path: RawPath; readonly pair: readonly [A | undefined, B | undefined] }> {
  for await (const page of pages)
    yield page.map((pair) => ({ path: pair[0]?.path ?? pair[1]?.path ?? rawFromText(""), pair }));
}
