import { runHook } from "../../hooks/hook.ts";
import type { Settings } from "../../suite/settings.ts";
import type { World } from "../session.ts";

type HookWorld = Pick<World, "env" | "signal" | "events">;

/** What AFTER_ALL gets of a run that was stopped, in seconds. */
const stoppedTimeout = 30;

/** Runs BEFORE_ALL; exit code 75 means that nothing is to run. Throws as runHook does. */
export async function beforeAll(settings: Settings, world: HookWorld): Promise<void> {
  if (settings.beforeAll === undefined) return;
  await run("BEFORE_ALL", settings.beforeAll, {}, settings, world);
}

/** Runs AFTER_ALL, whatever came of the run. Returns what is to be warned of. */
export async function afterAll(
  settings: Settings,
  facts: Readonly<Record<string, string>>,
  world: HookWorld,
): Promise<string | undefined> {
  if (settings.afterAll === undefined) return undefined;
  try {
    await run("AFTER_ALL", settings.afterAll, facts, settings, world);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function run(
  name: "BEFORE_ALL" | "AFTER_ALL",
  command: string,
  facts: Readonly<Record<string, string>>,
  { hookTimeoutSeconds }: Settings,
  { env, signal, events }: HookWorld,
): Promise<void> {
  const inherited = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const stopped = name === "AFTER_ALL" && signal.aborted;
  await runHook({
    name,
    command,
    timeoutSeconds: stopped ? Math.min(hookTimeoutSeconds, stoppedTimeout) : hookTimeoutSeconds,
    env: { ...Object.fromEntries(inherited), ...facts },
    signal: stopped ? undefined : signal,
    onLine: (line) => events.detail(1, `${name}: ${line}`),
  });
}
