import { Failure, usage } from "../errors.ts";

/** Where a character of a configuration file stands; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing that is wrong with a configuration. `where` is a place or the name of an override. */
export interface Problem {
  readonly where: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

export function placeText(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`;
}

/** The column of the character at `index` of a line: characters are counted, not code units. */
export function columnAt(line: string, index: number): number {
  return Array.from(line.slice(0, index)).length + 1;
}

/** One failure for all problems, a line each; hints stand beside the message only if it's one. */
export function problemsFailure(problems: readonly Problem[]): Failure {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) {
    return usage(
      `${first.where}: ${first.message}`,
      first.hint === undefined ? {} : { hint: first.hint },
    );
  }
  const lines = problems.map(({ where, message, hint }) =>
    hint === undefined ? `${where}: ${message}` : `${where}: ${message} (${hint})`,
  );
  return usage(lines.join("\n"), { hint: `correct these ${problems.length} places` });
}

/** The problem that a usage failure of a parser in lib/units means. Anything else is thrown on. */
export function problemOf(error: unknown, where: string): Problem {
  if (!(error instanceof Failure)) throw error;
  return { where, message: error.message, hint: error.hint };
}

/** Text from outside, quoted for a message and cut to a readable length. */
export function quoted(text: string): string {
  const shown = Array.from(text);
  return JSON.stringify(shown.length > 60 ? `${shown.slice(0, 60).join("")}…` : text);
}

/** `did you mean …?` if there is something to mean. */
export function didYouMean(word: string | undefined): string | undefined {
  return word === undefined ? undefined : `did you mean ${word}?`;
}
