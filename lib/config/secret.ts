import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { systemCode, usage } from "../errors.ts";
import type { RunCommand } from "./command.ts";
import type { Environment } from "./interpolate.ts";
import { mask } from "./mask.ts";
import { quoted } from "./problem.ts";

/** Long enough for a password manager on a slow network. */
const timeoutMs = 30_000;

const filePrefix = "file:";
const commandPrefix = "command:";

export interface SecretContext {
  /** What a relative `file:` path starts at. */
  readonly base: string;
  readonly env: Environment;
  readonly runCommand: RunCommand;
}

/** Whether a secret's text is the secret itself. */
export function isLiteral(text: string): boolean {
  return !text.startsWith(filePrefix) && !isCommand(text);
}

export function isCommand(text: string): boolean {
  return text.startsWith(commandPrefix);
}

/** A secret's text that means the same from anywhere: the path after `file:` is absolute. */
export function placeSecret(text: string, base: string): string {
  if (!text.startsWith(filePrefix)) return text;
  return filePrefix + resolve(base, text.slice(filePrefix.length));
}

/** A secret's text fit to be shown: a file's path is none, a command may hold one. */
export function maskSecret(text: string): string {
  if (text.startsWith(filePrefix)) return text;
  return isCommand(text) ? commandPrefix + mask : mask;
}

/**
 * The secret that `file:PATH`, `command:CMD` or a literal text stands for.
 * Throws a usage failure if the file can't be read, the command fails, or there is nothing in the
 * first line; neither the command nor what it printed is in the message.
 */
export async function resolveSecret(text: string, context: SecretContext): Promise<string> {
  if (isCommand(text)) return fromCommand(text.slice(commandPrefix.length), context);
  if (text.startsWith(filePrefix))
    return fromFile(resolve(context.base, text.slice(filePrefix.length)));
  return text;
}

async function fromFile(path: string): Promise<string> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (error) {
    const code = systemCode(error) ?? "unreadable";
    throw usage(`expected a file with the secret, found ${quoted(path)} unreadable (${code})`, {
      cause: error,
    });
  }
  return firstLine(content, `the first line of ${quoted(path)}`);
}

async function fromCommand(command: string, { env, runCommand }: SecretContext): Promise<string> {
  const { code, stdout, timedOut } = await runCommand(command, { env, timeoutMs });
  const hint = "run the command by hand; what it prints on standard error is not shown here";
  if (timedOut)
    throw usage(
      `expected a secret from the command within ${timeoutMs / 1000} s, found it still running`,
      { hint },
    );
  if (code !== 0) {
    throw usage(
      `expected the command for the secret to succeed, found ${code === undefined ? "it killed" : `exit code ${code}`}`,
      { hint },
    );
  }
  return firstLine(stdout, "the first line that the command printed");
}

function firstLine(text: string, what: string): string {
  const line = text.split("\n", 1)[0]?.replace(/\r$/, "") ?? "";
  if (line === "" || line.includes("\0"))
    throw usage(`expected a secret in ${what}, found ${line === "" ? "it empty" : "a NUL byte"}`);
  return line;
}
