import type { Backup } from "../../config/backup.ts";
import type { FoundConfig } from "../../config/all.ts";
import { redactLocation } from "../../rclone/location.ts";
import type { KeptState } from "./states.ts";

/**
 * Finds for each configuration the state that its runs left. Nobody asks rclone here where a destination
 * really is, so it goes by what the runs wrote down: the configuration's path, and where that has moved
 * the destination; for a damaged state the name alone.
 */
export function stateFinder(
  states: readonly KeptState[],
  configs: readonly FoundConfig[],
): (config: FoundConfig) => KeptState | undefined {
  const byConfig = grouped(states, ({ record }) => record?.config);
  const byDestination = grouped(states, ({ record }) => record?.destination);
  const damaged = grouped(states, ({ record, damaged: files, name }) =>
    record === undefined && files.length > 0 ? name : undefined,
  );
  const present = new Set(configs.map(({ file }) => file));
  const find = ({ name, file, loaded }: FoundConfig): KeptState | undefined => {
    const own = byConfig.get(file) ?? [];
    const destination = loaded === undefined ? undefined : shownDestination(loaded.backup);
    const here = own.filter(({ record }) => record?.destination === destination);
    const moved = (byDestination.get(destination ?? "") ?? []).filter(
      ({ record }) => record !== undefined && !present.has(record.config),
    );
    return (
      newest(here) ??
      newest(own) ??
      newest(moved) ??
      damaged.get(name.replaceAll(/[^\w.-]/g, "_"))?.[0]
    );
  };
  const found = new Map<FoundConfig, KeptState | undefined>();
  return (config) => {
    if (!found.has(config)) found.set(config, find(config));
    return found.get(config);
  };
}

/** The destination as runs write it down. */
export function shownDestination({ destination }: Backup): string {
  return redactLocation(destination);
}

function newest(states: readonly KeptState[]): KeptState | undefined {
  return states.toSorted((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1))[0];
}

function timeOf({ record }: KeptState): string {
  return record?.running?.startedAt ?? record?.last?.finishedAt ?? "";
}

function grouped(
  states: readonly KeptState[],
  keyOf: (state: KeptState) => string | undefined,
): ReadonlyMap<string, readonly KeptState[]> {
  const groups = new Map<string, KeptState[]>();
  for (const state of states) {
    const key = keyOf(state);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [state]);
    else group.push(state);
  }
  return groups;
}
