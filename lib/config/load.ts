import type { Backup } from "./backup.ts";
import { makeBackup } from "./backup.ts";
import type { Chain } from "./chain.ts";
import { readChain } from "./chain.ts";
import type { RunCommand } from "./command.ts";
import { runShell } from "./command.ts";
import { allKeys, keys } from "./definition.ts";
import type { FindOptions } from "./find.ts";
import { backupName, findConfig } from "./find.ts";
import type { Key } from "./keys.ts";
import type { Overrides } from "./overrides.ts";
import { readOverrides } from "./overrides.ts";
import type { Problem } from "./problem.ts";
import { settleRetention } from "./policies.ts";
import { placeText, problemOf, problemsFailure } from "./problem.ts";
import type { Setting } from "./provenance.ts";
import { provenanceOf, rulesOf } from "./provenance.ts";
import { placeSecret, resolveSecret } from "./secret.ts";
import type { Settled, Settlement } from "./settle.ts";
import { settle } from "./settle.ts";

export interface LoadOptions extends FindOptions {
  /** `section.key=value`, the strongest source of a value. */
  readonly set: readonly string[];
  /** For `command:` secrets; the real shell unless a test gives another. */
  readonly runCommand?: RunCommand;
  /** Leaves secrets as they are written: no file is read and no command run for what needs none. */
  readonly leaveSecrets?: boolean;
}

export interface LoadedBackup {
  readonly backup: Backup;
  /** Where each value comes from; made when it is asked for. */
  readonly provenance: () => readonly Setting[];
  /** What it extends, the nearest first; absolute paths. */
  readonly parents: readonly string[];
}

/**
 * Loads the backup that a bare name or the path of a configuration file means. `overrides` are those of the
 * options, for who loads many.
 * Throws a usage failure that lists everything that is wrong, a line each, with its place.
 */
export async function loadBackup(
  nameOrPath: string,
  options: LoadOptions,
  overrides = readOverrides(options.env, options.set),
): Promise<LoadedBackup> {
  const file = await findConfig(nameOrPath, options);
  const chain = await readChain(file, options, overrides.values.get(keys.extends.id));
  return settleBackup(chain, overrides, { name: backupName(file), file }, options);
}

/**
 * A backup without a configuration, for work on a store alone: its destination is the location, and
 * so is its source. `shown` is the location without secrets.
 * Throws a usage failure like loadBackup.
 */
export async function loadLocation(
  location: string,
  shown: string,
  options: LoadOptions,
): Promise<LoadedBackup> {
  const ends = ["source", "destination"].map((key) => `default.${key}=${location}`);
  const overrides = readOverrides(options.env, [...ends, ...options.set]);
  const chain = { files: [], problems: [] };
  return settleBackup(chain, overrides, { name: shown, file: "(no configuration)" }, options);
}

async function settleBackup(
  chain: Chain,
  overrides: Overrides,
  { name, file }: { readonly name: string; readonly file: string },
  { env, runCommand = runShell, leaveSecrets = false }: LoadOptions,
): Promise<LoadedBackup> {
  const settlement = settle(chain, overrides.values, env);
  const retention = settleRetention(chain, overrides.policies);
  const before = [...chain.problems, ...overrides.problems, ...settlement.problems];
  const problems = [...before, ...wrongValues(settlement), ...retention.problems];
  // A line that could not be read may have held what seems to be missing.
  if (before.length === 0) problems.push(...missing(chain, settlement));
  if (problems.length > 0) throw problemsFailure(problems);

  const secrets = new Map<string, string>();
  for (const settled of settlement.values.values()) {
    if (settled.key.kind.secret !== true || settled.text === "") continue;
    if (leaveSecrets || settled.key.kind.resolved === "when used") {
      secrets.set(settled.key.id, placeSecret(settled.text, settled.base));
      continue;
    }
    try {
      secrets.set(
        settled.key.id,
        await resolveSecret(settled.text, { base: settled.base, env, runCommand }),
      );
    } catch (error) {
      throw problemsFailure([problemOf(error, settled.where)]);
    }
  }
  const textOf = (key: Key<unknown>): string | undefined =>
    secrets.get(key.id) ?? settlement.values.get(key.id)?.text;
  const backup = makeBackup({
    name,
    file,
    filters: rulesOf(chain, "filters").map((rule) => rule.text),
    testFilters: rulesOf(chain, "test-filters").map((rule) => rule.text),
    policies: new Map([...retention.policies].map(([own, { policy }]) => [own, policy])),
    retention: retention.lines,
    get: (key) => key.read(textOf(key)),
  });
  const provenance = (): readonly Setting[] => provenanceOf(chain, settlement, retention);
  return { backup, provenance, parents: chain.files.slice(1).map((each) => each.file) };
}

/** Values that their kind refuses. */
function wrongValues({ values }: Settlement): Problem[] {
  return [...values.values()].flatMap((settled) => {
    if (settled.spoilt === true || (settled.key.required && settled.text === "")) return [];
    const problem = check(settled);
    return problem === undefined ? [] : [problem];
  });
}

function check({ key, text, where }: Settled): Problem | undefined {
  try {
    key.read(text);
    return undefined;
  } catch (error) {
    return problemOf(error, where);
  }
}

function missing(chain: Chain, { values }: Settlement): Problem[] {
  return allKeys.flatMap((key) => {
    if (!key.required) return [];
    const settled = values.get(key.id);
    if (settled !== undefined && settled.text !== "") return [];
    const [first] = chain.files;
    const header = first?.headers.get(key.section) ?? {
      file: first?.file ?? "",
      line: 1,
      column: 1,
    };
    return [
      {
        where: settled?.where ?? placeText(header),
        message: `expected ${key.name} in [${key.section}], found none`,
        hint: `${key.name} = ${key.example}`,
      },
    ];
  });
}
