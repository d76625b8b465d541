import { failed, systemCode, type Outcome } from "../errors.ts";
import { writeFailure } from "../process/writefailure.ts";
import type { Events, Progress } from "../units/events.ts";
import { escapeLines, escapeText } from "./escape.ts";
import { statusLine } from "./status.ts";

/*
 * The rules of output, all of them here:
 * - Results go to stdout, everything else to stderr.
 * - A run without trouble prints nothing, unless it is asked for a result or to be verbose.
 * - Every message on stderr begins with the command's name, then error, skipped, hint or warning.
 * - Nothing from outside reaches a terminal or a log unescaped.
 * - One live status line, on a terminal only, rewritten in place and gone at the end.
 */

export interface TerminalOptions {
  /** Begins every line on stderr. */
  readonly command: string;
  readonly verbosity: number;
  readonly quiet: boolean;
  readonly color: "auto" | "always" | "never";
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Terminal extends Events {
  /**
   * A result, to stdout. The text is ours; names in it are escaped by the caller or raw on purpose.
   * Throws failed() when it can't be written.
   */
  result(text: string | Uint8Array): Promise<void>;
  /**
   * A part of what another program takes as a whole, such as a dump, to stdout as it is. Throws failed() also
   * when the reader ends before all was written.
   */
  data(bytes: Uint8Array): Promise<void>;
  /** Whether results go to a terminal, where names must be escaped. */
  readonly resultsAreShown: boolean;
  readonly resultLook: ResultLook;
  /** Why the command does not end with 0. */
  problem(outcome: Outcome, text: string): void;
  hint(text: string): void;
  /** A line that a command wrote to standard error which works for this one; `from` goes before it. */
  relay(from: string, line: string): void;
  /** Removes the status line. */
  close(): void;
}

/** What a result may make use of where it goes. */
export interface ResultLook {
  /** Undefined where lines may be of any length. */
  readonly columns: number | undefined;
  readonly colored: boolean;
  /** Whether the locale has characters beyond ASCII. */
  readonly unicode: boolean;
}

const statusEvery = 200;

/** Opens the process's output. One command has one. */
export function openTerminal(options: TerminalOptions): Terminal {
  const { stdout, stderr } = process;
  // Told to the writer of a result, see below. Where stderr can't be written, nobody is left to tell.
  stdout.on("error", () => {});
  stderr.on("error", () => {});
  let readerIsGone = false;
  const isColored = (isTerminal: boolean): boolean =>
    options.color === "always" ||
    (options.color === "auto" && isTerminal && (options.env["NO_COLOR"] ?? "") === "");
  const colored = isColored(stderr.isTTY);
  const live = stderr.isTTY && !options.quiet && options.env["TERM"] !== "dumb";
  let shown = false;
  let last = 0;
  const erase = (): void => {
    if (shown) stderr.write("\r\u001B[K");
    shown = false;
  };
  const say = (kind: string, color: number, text: string): void => {
    erase();
    const label = kind === "" ? "" : `${colored ? `\u001B[${color}m${kind}\u001B[0m` : kind}: `;
    stderr.write(`${options.command}: ${label}${escapeLines(text)}\n`);
  };
  const write = async (text: string | Uint8Array): Promise<Error | undefined> => {
    erase();
    return new Promise((resolve) => {
      stdout.write(text, (error) => resolve(error ?? undefined));
    });
  };
  return {
    resultsAreShown: stdout.isTTY,
    resultLook: {
      columns: stdout.isTTY ? stdout.columns : undefined,
      colored: isColored(stdout.isTTY),
      unicode: isUtf8Locale(options.env),
    },
    // Waiting until a page is written keeps a slow reader from filling our memory.
    result: async (text) => {
      const error = await write(text);
      // A reader that has seen enough (head, less) is no error.
      readerIsGone ||= systemCode(error) === "EPIPE";
      if (error !== undefined && !readerIsGone) throw writeFailure("standard output", error);
    },
    data: async (bytes) => {
      const error = await write(bytes);
      if (systemCode(error) === "EPIPE")
        throw failed(
          "standard output: expected a reader of all that there is, found that it ended before",
          {
            hint: "what it read is not whole: look for what stopped it",
            cause: error,
          },
        );
      if (error !== undefined) throw writeFailure("standard output", error);
    },
    // A skipped run is no error: the next one will do.
    problem: (outcome, text) =>
      outcome === "skipped" ? say("skipped", 33, text) : say("error", 31, text),
    hint: (text) => say("hint", 36, text),
    relay: (from, line) => {
      erase();
      stderr.write(`${escapeText(from)}: ${escapeText(line)}\n`);
    },
    warn: (text) => {
      if (!options.quiet) say("warning", 33, text);
    },
    detail: (level, text) => {
      if (options.verbosity >= level) say("", 0, text);
    },
    progress: (progress: Progress) => {
      if (!live || performance.now() - last < statusEvery) return;
      last = performance.now();
      shown = true;
      stderr.write(
        `\r\u001B[K${statusLine(progress).slice(0, Math.max((stderr.columns ?? 80) - 1, 20))}`,
      );
    },
    close: erase,
  };
}

/** The first of these variables that is set decides, as for every program. */
function isUtf8Locale({ LC_ALL, LC_CTYPE, LANG }: TerminalOptions["env"]): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}
