/** What the id of a run tells. */
export interface RunId {
  readonly id: string;
  readonly number: number;
  /** When the run began, milliseconds since 1970, in whole seconds. */
  readonly startedAt: number;
}

/** The id of a run: a growing number first, so that a clock set back changes no order. */
export function runId(number: number, at: Date): string {
  const time = at.toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return `${String(number).padStart(6, "0")}-${time}`;
}

/** Reads the id of a run; undefined for any other text. */
export function parseRunId(id: string): RunId | undefined {
  const parts = /^(\d{6,})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(id);
  if (parts === null) return undefined;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts
    .slice(2)
    .map(Number);
  const startedAt = Date.UTC(year, month - 1, day, hour, minute, second);
  return { id, number: Number(parts[1]), startedAt };
}
