/** Exit codes: the same for every command, listed in every --help and in docs/exit-codes.md. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  difference: 4,
  refused: 5,
  skipped: 75,
  interrupted: 130,
} as const;

export type Outcome = keyof typeof exitCodes;

/** Of several outcomes, the first of these that occurred is told; done where none did. */
const precedence = [
  "interrupted",
  "usage",
  "failed",
  "difference",
  "refused",
  "partial",
  "skipped",
] as const satisfies readonly Outcome[];

/** How a whole ended whose parts ended so. */
export function firstOutcome(outcomes: readonly Outcome[]): Outcome {
  return precedence.find((outcome) => outcomes.includes(outcome)) ?? "done";
}

/** The outcome that an exit code names; undefined for one that is none of ours. */
export function outcomeOf(code: number | undefined): Outcome | undefined {
  return (["done", ...precedence] as const).find((outcome) => exitCodes[outcome] === code);
}

export interface FailureOptions {
  /** What the reader can type or change to go on. */
  hint?: string;
  cause?: unknown;
}

/**
 * An error meant for the user. The message is lower case, says what was expected and what was
 * found, and never holds a secret. Names from outside may stand in it raw: lib/output escapes them.
 */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly outcome: Exclude<Outcome, "done">;
  readonly hint: string | undefined;

  constructor(outcome: Exclude<Outcome, "done">, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.outcome = outcome;
    this.hint = options.hint;
  }
}

/** The command cannot do its work: exit 1. */
export function failed(message: string, options?: FailureOptions): Failure {
  return new Failure("failed", message, options);
}

/** A wrong command line or configuration: exit 2. */
export function usage(message: string, options?: FailureOptions): Failure {
  return new Failure("usage", message, options);
}

/** A guard refused; the destination was not changed: exit 5. */
export function refused(message: string, options?: FailureOptions): Failure {
  return new Failure("refused", message, options);
}

/** Another run holds the lock, or a condition said skip: exit 75. */
export function skipped(message: string, options?: FailureOptions): Failure {
  return new Failure("skipped", message, options);
}

/** Stopped by a signal: exit 130. */
export function interrupted(message: string, options?: FailureOptions): Failure {
  return new Failure("interrupted", message, options);
}

/** The system's error code (ENOENT, EACCES, …) of an unknown error, if it has one. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string")
    return error.code;
  return undefined;
}
