import { unchanged, type Entry } from "../../manifest/entry.ts";
import { pairs } from "../../manifest/outcome.ts";
import type { Pages } from "../../manifest/pages.ts";
import { alike } from "../../stores/dir/alike.ts";
import { asGoWrites, isUtf8, rawFromText, replacement, type RawPath } from "../../units/rawpath.ts";
import type { Told } from "./events.ts";

/*
 * rclone's log is JSON, which has no bytes that are not UTF-8: it shows U+FFFD in their place, so that all names of one
 * shape in an old encoding look alike in it. Listings have them as they are.
 */

/** What rclone told of a file whose name its log can't spell. */
export interface Misspelled {
  readonly text: string;
  readonly kind: Told;
  readonly size: number | undefined;
}

/** Whether a name of the log may stand for others. */
export function isMisspelled(text: string): boolean {
  return text.includes(replacement);
}

/** What both ends hold now of files in doubt. */
export interface Facts {
  /** As the destination lists them. */
  readonly there: ReadonlyMap<RawPath, Entry>;
  /** What this run has set aside; undefined where nothing is. */
  readonly aside: ReadonlySet<RawPath> | undefined;
}

/** What happened to one file, in order. */
export interface Spelled {
  readonly path: RawPath;
  readonly told: readonly Pick<Misspelled, "kind" | "size">[];
}

/** A path that may have been meant, as it was and as it was listed. */
interface Meant {
  readonly path: RawPath;
  readonly before: Entry | undefined;
  readonly now: Entry | undefined;
}

/**
 * Finds out what happened to which file. Where more than one may be meant, what the ends hold now tells: `look` is asked
 * for it, at most once. `held` is what the destination held, of such files at least.
 */
export async function spell(
  told: readonly Misspelled[],
  held: Pages<Entry>,
  listed: Pages<Entry>,
  look: (paths: readonly RawPath[]) => Promise<Facts>,
): Promise<readonly Spelled[]> {
  if (told.length === 0) return [];
  const lines = grouped(told, ({ text }) => text);
  const meant = await candidates(new Set(lines.keys()), held, listed);
  const sure: Spelled[] = [];
  const open: string[] = [];
  for (const [text, of] of lines) {
    const [only, ...others] = meant.get(text) ?? [];
    if (only !== undefined && others.length === 0 && isPlain(only, of))
      sure.push({ path: only.path, told: of });
    // A directory, of which listings tell nothing.
    else if (only === undefined && of.every(({ kind }) => kind === "failed"))
      sure.push({ path: rawFromText(text), told: of });
    else open.push(text);
  }
  if (open.length === 0) return sure;
  const facts = await look(open.flatMap((text) => (meant.get(text) ?? []).map(({ path }) => path)));
  const gone = grouped(facts.aside ?? [], asGoWrites);
  return [
    ...sure,
    ...open.flatMap((text) => {
      const known = meant.get(text) ?? [];
      const more = (gone.get(text) ?? []).filter((path) => !known.some((one) => one.path === path));
      const all = [...known, ...more.map((path) => ({ path, before: undefined, now: undefined }))];
      return judged(all, lines.get(text) ?? [], facts);
    }),
  ];
}

function grouped<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

/** Whether nothing speaks against it that the only file which is known to be called so is meant. */
function isPlain({ now }: Meant, told: readonly Misspelled[]): boolean {
  return now === undefined || !told.some(({ kind }) => kind === "deleted");
}

/** The files of either kind, grouped by how the log spells them; only those that it spells like that. */
export async function candidates(
  texts: ReadonlySet<string>,
  held: Pages<Entry>,
  listed: Pages<Entry>,
): Promise<ReadonlyMap<string, readonly Meant[]>> {
  const found: Meant[] = [];
  for await (const page of pairs(held, listed))
    for (const { before, now } of page) {
      const path = (now ?? before)?.path;
      if (path === undefined || (isUtf8(path) && !path.includes(rawReplacement))) continue;
      if (texts.has(asGoWrites(path))) found.push({ path, before, now });
    }
  return grouped(found, ({ path }) => asGoWrites(path));
}

const rawReplacement = rawFromText(replacement);

/** What happened to files that look alike. What failed of them belongs to one at least. */
function judged(
  meant: readonly Meant[],
  told: readonly Misspelled[],
  { there, aside }: Facts,
): Spelled[] {
  const kinds = new Set(told.map(({ kind }) => kind));
  const all = meant.map((one) => {
    const found = { ...one, there: there.get(one.path), isAside: aside?.has(one.path) };
    return { path: one.path, told: judge(found, kinds) };
  });
  const isTold = all.some((one) => one.told.some(({ kind }) => kind === "failed"));
  if (isTold || told.at(-1)?.kind !== "failed") return all;
  const isQuiet = (one: Spelled): boolean => one.told.length === 0;
  const blamed = all.filter(isQuiet).length > 0 ? isQuiet : () => true;
  const failed = { kind: "failed", size: undefined } as const;
  return all.map((one) => (blamed(one) ? { ...one, told: [failed] } : one));
}

const one = (kind: Told): Spelled["told"][number] => ({ kind, size: undefined });

/** A path with what the ends hold of it now; `isAside` is undefined where nothing is set aside. */
interface Found extends Meant {
  readonly there: Entry | undefined;
  readonly isAside: boolean | undefined;
}

function judge({ before, now, there, isAside }: Found, kinds: ReadonlySet<Told>): Spelled["told"] {
  const failed = kinds.has("failed") ? [one("failed")] : [];
  const first = isAside === true ? [one("moved")] : [];
  const isHere = there !== undefined && now !== undefined;
  if (isHere && isAside !== true && before !== undefined && unchanged(before, now)) return [];
  // With a part of it there, or with the old one.
  if (isHere && failed.length > 0 && !alike(there, now)) return [...first, ...failed];
  if (there === undefined) {
    // What is deleted is set aside, where anything is.
    if (now === undefined) return isAside === false ? [] : [...first, one("deleted")];
    if (failed.length > 0) return [...first, ...failed];
    // It vanished from the source since it was listed.
    return before !== undefined && kinds.has("deleted") ? [...first, one("deleted")] : first;
  }
  const copied = { kind: "copied" as const, size: there.size };
  if (isAside === true) return [...first, copied];
  if (now === undefined) return failed;
  // What is replaced is set aside, where anything is.
  const isNew = before === undefined || isAside === undefined;
  if (isNew && kinds.has("copied")) return [copied];
  if (kinds.has("touched") && unchanged(there, now)) return [one("touched")];
  return failed;
}
