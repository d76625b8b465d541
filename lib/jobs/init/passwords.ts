import { readFile } from "node:fs/promises";
import { makePassword } from "../../crypt/passphrase.ts";
import { obscure } from "../../crypt/obscure.ts";
import { systemCode, usage } from "../../errors.ts";

/** What a crypt remote encrypts with. */
export interface Passwords {
  readonly password: string;
  readonly salt: string | undefined;
}

type Random = (bytes: number) => Uint8Array;

/** New ones, that can be typed from paper. */
export function newPasswords(random: Random): Passwords {
  return { password: makePassword(random), salt: makePassword(random) };
}

/**
 * The password in a file's first line, and the salt in its second, if there is one. Throws a usage
 * failure for what can't be read and for what rclone would read otherwise; the text is not told.
 */
export async function readPasswords(file: string): Promise<Passwords> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw usage(
      `--password-file: expected a file with the password, found ${file} unreadable (${systemCode(error) ?? "unknown error"})`,
      { cause: error },
    );
  }
  const [password = "", salt = "", ...more] = text.replace(/\r?\n$/, "").split(/\r?\n/);
  if (more.length > 0)
    throw usage(`--password-file: expected one or two lines in ${file}, found ${more.length + 2}`, {
      hint: "the password in the first line, the salt in the second",
    });
  return checkPasswords({ password, salt: salt === "" ? undefined : salt });
}

/** Throws a usage failure for a password that is empty, or that can't be typed as a line. */
export function checkPasswords(passwords: Passwords): Passwords {
  for (const text of [passwords.password, passwords.salt]) {
    if (text === undefined) continue;
    if (text === "") throw usage("password: expected one, found none");
    if (text !== text.trim() || /\p{Cc}/u.test(text))
      throw usage(
        "password: expected one without spaces around it and control characters, found another",
        { hint: "rclone would take them off, and the backup could not be read" },
      );
  }
  return passwords;
}

/** The options of a crypt remote with these passwords. */
export function cryptOptions(
  remote: string,
  { password, salt }: Passwords,
  random: Random,
): ReadonlyMap<string, string> {
  return new Map([
    ["type", "crypt"],
    ["remote", remote],
    ["password", obscure(password, random(16))],
    ...(salt === undefined ? [] : [["password2", obscure(salt, random(16))] as const]),
  ]);
}
