import { usage } from "../errors.ts";

/** What a dump program is run in. */
export interface DumpWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** Options that can't be had, and what is told of each: why. */
export type RefusedOptions = readonly (readonly [RegExp, string])[];

/**
 * Throws usage() for an option that can't be had; without its value, which may be a secret. `valued` has the
 * letters of short options that take a value, in the same word or the next.
 */
export function checkOptions(
  options: readonly string[],
  refused: RefusedOptions,
  valued: string,
): void {
  for (const option of options.flatMap((word) => singleOptions(word, valued)))
    for (const [pattern, hint] of refused)
      if (pattern.test(option)) {
        const name = option.startsWith("--") ? option.split("=", 1)[0] : option.slice(0, 2);
        throw usage(`expected options that can be used here, found ${name ?? ""}`, { hint });
      }
}

/** What the programs make of a word: `-vpx` is -v and, with its value, -px. */
function singleOptions(word: string, valued: string): readonly string[] {
  if (!/^-[^-]/.test(word)) return [word];
  const letters = word.slice(1).split("");
  const at = letters.findIndex((letter) => valued.includes(letter));
  const flags = at < 0 ? letters : letters.slice(0, at);
  return [
    ...flags.map((letter) => `-${letter}`),
    ...(at < 0 ? [] : [`-${letters.slice(at).join("")}`]),
  ];
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
