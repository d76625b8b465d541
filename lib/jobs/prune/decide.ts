import type { FileHistory } from "../../history/history.ts";
import type { Pattern } from "../../history/pattern.ts";
import type { Pages } from "../../manifest/pages.ts";
import type { Removals } from "../../retention/apply.ts";
import type { Ends } from "../../retention/ends.ts";
import type { EndsWalk } from "../../retention/endswalk.ts";
import type { Retention } from "../../retention/match.ts";
import { plan, purge, type Decision } from "../../retention/plan.ts";
import { endsToRemember } from "../../retention/remember.ts";
import type { Events } from "../../units/events.ts";
import { rawFromText, type RawPath } from "../../units/rawpath.ts";
import type { OpenHistory } from "../openhistory.ts";
import { held, noNames, watchForeign, type SeenNames } from "../ours.ts";
import type { FileDecision, PruneOptions } from "./options.ts";

/** What decisions are made of: as much of an open history as that takes. */
export interface Decidable extends Pick<OpenHistory, "names" | "found" | "histories"> {
  readonly store: Pick<OpenHistory["store"], "place" | "orderOf">;
  readonly session: { readonly world: { readonly events: Events } };
}

/** What decisions are made by. */
export interface Deciding {
  readonly options: PruneOptions;
  readonly retention: Retention;
  readonly explained: readonly Pattern[];
  readonly now: number;
  /** The ends that are remembered, and are to be. */
  readonly ends: EndsWalk;
  /** What was seen so far. */
  readonly seen: Seen;
}

export interface Seen extends SeenNames {
  /** Patterns of --explain that matched a file. */
  readonly matched: Set<Pattern>;
  /** Files of which something is to be removed. */
  begun: number;
  /** There was more than --max-files allows. */
  more: boolean;
  readonly planned: { versions: number; bytes: number };
}

export function nothingSeen(): Seen {
  const planned = { versions: 0, bytes: 0 };
  return { ...noNames(), begun: 0, matched: new Set(), more: false, planned };
}

/** What is to be removed, file by file as the store lists them. */
export async function* decide(history: Decidable, deciding: Deciding): Pages<Removals> {
  const { options, seen, ends } = deciding;
  const within = range(history, options);
  const pages = history.histories(
    rawFromText(""),
    watchForeign(history.session.world.events, seen),
  );
  for await (const page of held(history, pages, seen)) {
    const removals: Removals[] = [];
    const told: FileDecision[] = [];
    for (const file of page) {
      const { order } = file;
      if (!within(order)) continue;
      const before = ends.reaches(order) ? await ends.take(order) : undefined;
      const { decisions: found, tell } = decideFile(file, deciding, before);
      const going = found.filter(({ action }) => action === "remove");
      if (deciding.explained.length > 0) {
        if (isExplained(file, deciding)) told.push(...found.map(tell));
        continue;
      }
      seen.more = going.length > 0 && seen.begun >= (options.maxFiles ?? Infinity);
      if (seen.more) {
        if (before !== undefined) ends.remember(order, before, before);
        break;
      }
      if (before !== undefined || going.length > 0)
        ends.remember(order, endsToRemember(file, found, before), before);
      if (going.length === 0) continue;
      seen.begun += 1;
      if (options.onDecisions !== undefined) told.push(...going.map(tell));
      for (const { version } of going) {
        seen.planned.versions += 1;
        seen.planned.bytes += version.size;
      }
      removals.push({ path: file.path, versions: going.map(({ version }) => version) });
    }
    if (told.length > 0) await options.onDecisions?.(told);
    if (removals.length > 0) yield removals;
    if (seen.more) break;
  }
  await ends.finish(seen.more);
}

function isExplained(file: FileHistory, { explained, seen }: Deciding): boolean {
  const matching = explained.filter((pattern) => pattern.matches(file.path));
  for (const pattern of matching) seen.matched.add(pattern);
  return matching.length > 0;
}

/** The decisions on one file, and what makes one of them fit to be told. */
function decideFile(
  file: FileHistory,
  { options, retention, now }: Deciding,
  ends: Ends | undefined,
): { decisions: readonly Decision[]; tell: (decision: Decision) => FileDecision } {
  const { path } = file;
  // Named one by one: a spread takes ten times as long, and there may be millions.
  const teller =
    (policy: string, line: string | undefined) =>
    ({ version, action, reason }: Decision): FileDecision => ({
      version,
      action,
      reason,
      path,
      policy,
      line,
    });
  if (options.purge) return { decisions: purge(file, "old"), tell: teller("purge", undefined) };
  const { policy, line } = retention.choose(path);
  return { decisions: plan(file, policy, now, ends), tell: teller(policy.name, line?.origin) };
}

/**
 * Whether a run looks at a file, by its place in the order of the store, since that is the order of the
 * listing.
 */
export function range(
  { names, store }: Pick<Decidable, "names" | "store">,
  { startAt, stopAt }: Pick<PruneOptions, "startAt" | "stopAt">,
): (name: RawPath) => boolean {
  const placeOf = (path: RawPath | undefined): RawPath | undefined => {
    const name = path === undefined ? undefined : names.encode(path, "file");
    return name === undefined ? undefined : (store.orderOf?.(name) ?? name);
  };
  const [start, stop] = [placeOf(startAt), placeOf(stopAt)];
  return (order) => (start === undefined || order >= start) && (stop === undefined || order < stop);
}
