import { hostname } from "node:os";
import { join } from "node:path";
import type { FoundConfig } from "../../config/all.ts";
import type { Failure } from "../../errors.ts";
import { sendPing, type Ping } from "../../notices/ping.ts";
import { readNotices, writeNotices, type ReadNotices } from "../../notices/state.ts";
import { tell } from "../../notices/tell.ts";
import type { Settings } from "../../suite/settings.ts";
import type { World } from "../session.ts";
import type { SuiteStatus } from "../status/value.ts";
import { asFailure } from "./keeper.ts";
import type { NightBackup, NightResult } from "./night.ts";
import { judgedBy, raisedBy } from "./raised.ts";

type TellWorld = Pick<World, "env" | "signal" | "now" | "events">;

/** Fetches URLs for those who watch from outside; what can't be reached is warned of. */
export class Pings {
  /** The last one of each that is watched, by what it is called. */
  readonly #last = new Map<string, Promise<void>>();
  readonly #world: TellWorld;

  constructor(world: TellWorld) {
    this.#world = world;
  }

  /**
   * Begins to fetch, after what was sent of the same before, and lets the run go on. That something begins
   * is not worth waiting for once the run is stopped; how it ended is told even then.
   */
  send(ping: Ping): void {
    const { env, signal, events } = this.#world;
    const { what, variant } = ping;
    const chain = what.replace(/^CANARY_.*$/, "CANARY");
    const before = this.#last.get(chain);
    const isStart = variant === "start" || what === "CANARY_START";
    const fetch = async (): Promise<void> => {
      await before;
      const failure = await sendPing(
        ping,
        { env, hostname: hostname() },
        isStart ? { signal } : {},
      );
      if (failure !== undefined && failure.outcome !== "interrupted") events.warn(failure.message);
    };
    this.#last.set(chain, fetch());
  }

  /** Waits for all, each of which ends within its time. */
  async done(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}

/**
 * The ping of a backup that has begun: one that can't be skipped any more, since nothing would end what has been
 * said to begin.
 */
export function startPing({ name, loaded }: FoundConfig): Ping | undefined {
  const url = loaded?.backup.notify.ping;
  return url === undefined ? undefined : { what: `ping of ${name}`, url, variant: "start" };
}

/** The ping of a backup by what came of it; a skipped run says nothing. */
export function endPing(
  { name, loaded }: FoundConfig,
  { outcome }: Pick<NightBackup, "outcome">,
): Ping | undefined {
  const url = loaded?.backup.notify.ping;
  if (url === undefined || outcome === "skipped") return undefined;
  const variant = outcome === "done" ? undefined : "fail";
  return { what: `ping of ${name}`, url, variant };
}

/**
 * The canary's URL for how the whole run ended. A good run of a part says nothing of the others, so the
 * last state of all backups has to be good too.
 */
export function canaryPing(
  { canary, canaryFail }: Pick<Settings, "canary" | "canaryFail">,
  { outcome }: Pick<NightResult, "outcome">,
  status: Pick<SuiteStatus, "outcome"> | undefined,
): Ping | undefined {
  if (outcome === "done")
    return canary === undefined || status?.outcome !== "done"
      ? undefined
      : { what: "CANARY", url: canary };
  if (outcome === "skipped" || canaryFail === undefined) return undefined;
  return { what: "CANARY_FAIL", url: canaryFail };
}

/**
 * Tells everybody what is new; where nothing is known of the backups, only how they were run. A channel
 * that doesn't work is warned of here, and told by the others; it costs its timeout at most. A run that is
 * stopped sends no more. Throws when what was told can't be read or written down, after all was told.
 */
export async function tellAll(
  night: NightResult,
  status: SuiteStatus | undefined,
  configs: readonly FoundConfig[],
  settings: Settings,
  directory: string,
  world: TellWorld,
): Promise<void> {
  const { env, now, events, signal } = world;
  const file = join(directory, "notices.json");
  const { state, damaged, problem } = await readTold(file);
  if (damaged !== undefined)
    events.warn(
      `notices: expected JSON, found a damaged file; it is kept as ${damaged}, and what lasts is told once more`,
    );
  const at = now();
  const audiences = [
    { id: "all", backup: undefined, notify: settings.notify },
    ...configs.flatMap(({ file: id, name, loaded }) =>
      loaded === undefined ? [] : [{ id, backup: name, notify: loaded.backup.notify }],
    ),
  ];
  const result = await tell(
    audiences,
    raisedBy(night, status?.backups ?? [], { host: hostname(), now: at }),
    state,
    {
      world: { env, hostname: hostname() },
      now: at,
      signal,
      judged: judgedBy(night, status?.backups ?? []),
    },
  );
  for (const { label, failure } of result.failures)
    if (failure.outcome !== "interrupted") events.warn(`${label}: ${failure.message}`);
  if (problem !== undefined) throw problem;
  await writeNotices(file, result.state);
}

/** What was told before. Where that can't be known, telling once more is better than not at all. */
async function readTold(file: string): Promise<ReadNotices & { readonly problem?: Failure }> {
  try {
    return await readNotices(file, { setAside: true });
  } catch (error) {
    return { state: new Map(), damaged: undefined, problem: asFailure(error) };
  }
}
