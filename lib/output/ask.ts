import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { refused } from "../errors.ts";

/** How long a question may stay without an answer: until then no other run gets the lock. */
const patience = 10 * 60_000;

/**
 * Asks on the terminal; only a plain yes is one. Throws refused where there is nobody to ask or nobody
 * answers within ten minutes (`wait`, milliseconds).
 * `what` completes "without a terminal …".
 */
export async function askYes(
  question: string,
  what: string,
  signal: AbortSignal,
  wait = patience,
): Promise<boolean> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY || !stderr.isTTY)
    throw refused(`expected --yes or a terminal to ask on, found neither: ${what}`, {
      hint: "-n shows what would be done; --yes does it without asking",
    });
  const lines = createInterface({ input: stdin, output: stderr });
  // ^C and ^D close it, and then no answer comes any more.
  const closed = once(lines, "close").then(() => "");
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), wait);
  const either = AbortSignal.any([signal, late.signal]);
  const answered = lines.question(`${question} [yes/no] `, { signal: either });
  try {
    const answer = await Promise.race([answered, closed]);
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    signal.throwIfAborted();
    if (late.signal.aborted)
      throw refused(
        `expected an answer within ${wait / 60_000} minutes, found none: ${what.replace(" without either", "")}`,
        { hint: "meanwhile no backup could run; ask again when you can answer, or use --yes" },
      );
    if (error instanceof Error && error.name === "AbortError") return false;
    throw error;
  } finally {
    clearTimeout(timer);
    answered.catch(() => {});
    lines.close();
  }
}
