import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { Failure, interrupted, usage } from "../errors.ts";
import { escapeText } from "./escape.ts";

/** Questions to whoever sits at the terminal. Call close() in any case. */
export interface Questions {
  /**
   * The answer, without the space around it, or `fallback` for an empty one; asked again while `check`
   * throws a Failure.
   */
  ask(question: string, options?: QuestionOptions): Promise<string>;
  /** The same, with nothing of what is typed shown. */
  askHidden(question: string, options?: QuestionOptions): Promise<string>;
  tell(text: string): void;
  close(): void;
}

export interface QuestionOptions {
  readonly fallback?: string | undefined;
  readonly check?: ((answer: string) => unknown) | undefined;
}

/** Throws a usage failure where there is no terminal; `missing` names what was not given, such as --source. */
export function openQuestions(missing: readonly string[], signal: AbortSignal): Questions {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY)
    throw usage(`expected ${missing.join(", ")} or a terminal to ask on, found neither`, {
      hint: "--help tells the options",
    });
  let hidden = false;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!hidden) stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: stdin, output, terminal: true });
  // ^C and ^D close it, and then no answer comes any more.
  const closed = once(lines, "close");
  const one = async (question: string, isHidden: boolean): Promise<string> => {
    // readline would draw a hidden question again, and with it what is typed.
    if (isHidden) stderr.write(question);
    hidden = isHidden;
    try {
      const answered = lines.question(isHidden ? "" : question, { signal });
      answered.catch(() => {});
      const ended = closed.then(() => {
        throw interrupted("stopped at a question; nothing was written");
      });
      return (await Promise.race([answered, ended])).trim();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      if (isHidden) stderr.write("\n");
      hidden = false;
    }
  };
  const until = async (
    question: string,
    isHidden: boolean,
    { fallback, check }: QuestionOptions = {},
  ): Promise<string> => {
    for (;;) {
      const shown = fallback === undefined || isHidden ? "" : ` [${escapeText(fallback)}]`;
      const answer = (await one(`${question}${shown}: `, isHidden)) || (fallback ?? "");
      try {
        await check?.(answer);
        return answer;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        stderr.write(`  ${escapeText(error.message)}\n`);
        if (error.hint !== undefined) stderr.write(`  ${escapeText(error.hint)}\n`);
      }
    }
  };
  return {
    ask: async (question, options) => until(question, false, options),
    askHidden: async (question, options) => until(question, true, options),
    tell: (text) => void stderr.write(`${text}\n`),
    close: () => lines.close(),
  };
}
