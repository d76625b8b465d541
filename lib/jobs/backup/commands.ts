import { exitCodes, type Outcome } from "../../errors.ts";
import { runHook, type Hook } from "../../hooks/hook.ts";
import { redactLocation } from "../../rclone/location.ts";
import type { BackupResult } from "../result.ts";
import { warn, type Run } from "./run.ts";

/** How long a stopped run waits for failure_command, in seconds: whoever stopped it waits too. */
const stoppedTimeout = 30;

/**
 * Runs skip_unless. Throws skipped when it ends with anything but 0; failed when it can't be run, is
 * killed, or its time is up, since that decides nothing.
 */
export async function skipUnless(run: Run, command: string): Promise<void> {
  await runHook(hook(run, "skip_unless", command, {}));
}

/**
 * Runs pre_command, if there is one and this is no dry run, and returns whether it did. `begins` is
 * called right before: from then on there may be something that failure_command has to undo.
 * Throws when it fails.
 */
export async function preCommand(run: Run, begins: () => void): Promise<boolean> {
  const command = run.session.backup.hooks.pre;
  if (command === undefined || run.options.dryRun) return false;
  begins();
  await runHook(hook(run, "pre_command", command, {}));
  return true;
}

/** Runs post_command after a good run. Its failure is a warning: the backup is done. */
export async function postCommand(run: Run): Promise<void> {
  const command = run.session.backup.hooks.post;
  if (command === undefined) return;
  const result = run.warnings.length > 0 ? "warning" : "success";
  await tolerant(run, hook(run, "post_command", command, outcomeEnv("done", result, "")));
}

/**
 * Runs failure_command after a run that failed, was refused or was stopped. Its failure is a warning.
 * The signal that stopped the run does not stop it too, but then it gets 30 s at most.
 */
export async function failureCommand(run: Run, outcome: Outcome, message: string): Promise<void> {
  const command = run.session.backup.hooks.failure;
  if (command === undefined) return;
  const wanted = hook(run, "failure_command", command, outcomeEnv(outcome, "failure", message));
  const stopped = outcome === "interrupted" || run.session.world.signal.aborted;
  await tolerant(run, {
    ...wanted,
    signal: stopped ? undefined : wanted.signal,
    timeoutSeconds: failureTimeout(wanted.timeoutSeconds, stopped),
  });
}

/** How long failure_command may take, in seconds: `configured`, but 30 at most in a stopped run. */
export function failureTimeout(
  configured: number | undefined,
  stopped: boolean,
): number | undefined {
  return stopped ? Math.min(configured ?? stoppedTimeout, stoppedTimeout) : configured;
}

async function tolerant(run: Run, wanted: Hook): Promise<void> {
  try {
    await runHook(wanted);
  } catch (error) {
    warn(run, error instanceof Error ? error.message : String(error));
  }
}

function outcomeEnv(
  outcome: Outcome,
  result: BackupResult["result"],
  message: string,
): Record<string, string> {
  return {
    BACKUP_RESULT: result,
    BACKUP_EXIT_CODE: String(exitCodes[outcome]),
    BACKUP_MESSAGE: message,
  };
}

function hook(run: Run, name: Hook["name"], command: string, more: Record<string, string>): Hook {
  const { backup, world } = run.session;
  const inherited = Object.entries(world.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    name,
    command,
    timeoutSeconds: backup.hooks.timeoutSeconds,
    env: {
      ...Object.fromEntries(inherited),
      BACKUP_NAME: backup.name,
      BACKUP_CONFIG: backup.file,
      BACKUP_SOURCE: redactLocation(backup.source),
      BACKUP_DESTINATION: redactLocation(backup.destination),
      BACKUP_RUN: run.id,
      ...more,
    },
    signal: world.signal,
    onLine: (line) => world.events.detail(1, `${name}: ${line}`),
  };
}
