import { didYouMean } from "./problem.ts";
import { suggest } from "../units/suggest.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface InterpolationProblem {
  /** Where in the text it stands. */
  readonly index: number;
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface Interpolation {
  readonly text: string;
  readonly problems: readonly InterpolationProblem[];
}

/**
 * Puts in the environment's values for `${NAME}` and `${NAME:-default}` (also when NAME is empty,
 * as in a shell). `$${` stands for `${`. What is put in isn't read again.
 */
export function interpolate(text: string, env: Environment): Interpolation {
  // Most values have none, and each is looked at for every backup.
  if (!text.includes("${")) return { text, problems: [] };
  const problems: InterpolationProblem[] = [];
  const result = text.replace(
    /\$\$\{|\$\{([^}]*)(\}?)/g,
    (found: string, inside: string | undefined, close: string | undefined, index: number) => {
      if (inside === undefined) return "${";
      if (close === "") {
        problems.push({
          index,
          message: "expected a } after ${, found the end of the value",
          hint: "write $${ for ${ itself",
        });
        return found;
      }
      const match = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside);
      const name = match?.[1];
      if (name === undefined) {
        problems.push({
          index,
          message: "expected ${NAME} or ${NAME:-default}, found something else between the braces",
          hint: "write $${ for ${ itself",
        });
        return found;
      }
      const value = env[name];
      const fallback = match?.[2];
      if (value !== undefined && (value !== "" || fallback === undefined)) return value;
      if (fallback !== undefined) return fallback;
      const near = suggest(
        name,
        Object.keys(env).filter((key) => key !== name),
      );
      problems.push({
        index,
        message: `expected the environment variable ${name} to be set, found it unset`,
        hint: didYouMean(near) ?? `set it, or give a default: \${${name}:-…}`,
      });
      return found;
    },
  );
  return { text: result, problems };
}

/** `text` so that interpolate gives it back. */
export function escapeInterpolation(text: string): string {
  return text.replaceAll("${", "$$${");
}
