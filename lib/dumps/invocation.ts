import { usage } from "../errors.ts";

/** What a dump program is run in. */
export interface DumpWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Options that can't be had, and what is told of each: why. */
export type RefusedOptions = readonly (readonly [RegExp, string])[];

/** Throws usage() for an option that can't be had; without its value, which may be a secret. */
export function checkOptions(options: readonly string[], refused: RefusedOptions): void {
  for (const option of options)
    for (const [pattern, hint] of refused)
      if (pattern.test(option)) {
        const name = option.startsWith("--") ? option.split("=", 1)[0] : option.slice(0, 2);
        throw usage(`expected options that can be used here, found ${name ?? ""}`, { hint });
      }
}

/** The variables whose names match, and a PATH. */
export function dumpEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  passedOn: RegExp,
): Record<string, string> {
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && passedOn.test(name) ? [[name, value] as const] : [],
  );
  return { PATH: "/usr/bin:/bin", ...Object.fromEntries(kept) };
}
