import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { openBackup } from "../../lib/jobs/openbackup.ts";
import { verify } from "../../lib/jobs/verify.ts";
import type { VerifyResult } from "../../lib/jobs/verify/verification.ts";
import { parseConditions } from "../../lib/units/condition.ts";
import type { Sandbox } from "./sandbox.ts";

/** A file of the state of the sandbox's one backup. */
export function stateFile({ state }: Sandbox, name: string): string {
  const [directory = ""] = readdirSync(path.join(state, "backups"));
  return path.join(state, "backups", directory, name);
}

/** What a JSON file of the state holds; unchecked. */
export function stateJson(sandbox: Sandbox, name: string): unknown {
  return JSON.parse(readFileSync(stateFile(sandbox, name), "utf8"));
}

export interface Night {
  readonly result: VerifyResult;
  readonly warnings: readonly string[];
}

/** Verifies `b` by the ledger within so many bytes, as if it were another day; in this process, with its clock. */
export async function nightOf(sandbox: Sandbox, day: string, bytes: number): Promise<Night> {
  return inProcess(sandbox, day, { next: { bytes, transactions: Infinity }, conditions: [] });
}

/** The same with conditions. */
export async function verifiedOn(
  sandbox: Sandbox,
  day: string,
  ...conditions: readonly string[]
): Promise<Night> {
  return inProcess(sandbox, day, { next: undefined, conditions });
}

async function inProcess(
  sandbox: Sandbox,
  day: string,
  how: {
    readonly next: { readonly bytes: number; readonly transactions: number } | undefined;
    readonly conditions: readonly string[];
  },
): Promise<Night> {
  const warnings: string[] = [];
  const world = {
    env: sandbox.env,
    cwd: sandbox.root,
    now: () => new Date(`${day}T03:00:00Z`),
    isRoot: true,
    signal: new AbortController().signal,
    events: { warn: (text: string) => void warnings.push(text), detail() {}, progress() {} },
  };
  const { session } = await openBackup("b", {}, world);
  const conditions = parseConditions(how.conditions);
  const result = await verify(session, { conditions, seed: 1, dryRun: false, next: how.next });
  return { result, warnings };
}
