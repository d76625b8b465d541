import { createCipheriv, createDecipheriv } from "node:crypto";
import { failed } from "../errors.ts";

/**
 * The key that rclone obscures passwords with. It is published in rclone's lib/obscure and is no
 * secret: obscuring only keeps a password from being read over a shoulder.
 */
const key = Buffer.from("9c935b48730a554d6bfd7c63c886a92bd390198eb8128afbf4de162b8b95f638", "hex");

/**
 * The password that rclone wrote obscured into its configuration: base64url of a 16-byte
 * initialisation vector and the text under AES-256-CTR.
 * Throws when the text is too short to be one.
 */
export function revealBytes(obscured: string): Buffer {
  const bytes = Buffer.from(obscured, "base64url");
  if (bytes.length < 16)
    throw failed("expected a password obscured by rclone, found a text too short to be one");
  const decipher = createDecipheriv("aes-256-ctr", key, bytes.subarray(0, 16));
  return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]);
}

/** The same as text, for telling one password from another. */
export function reveal(obscured: string): string {
  return revealBytes(obscured).toString("utf8");
}

/** The password as rclone writes it into its configuration. `iv` is 16 random bytes. */
export function obscure(password: string, iv: Uint8Array): string {
  const cipher = createCipheriv("aes-256-ctr", key, iv);
  return Buffer.concat([iv, cipher.update(password, "utf8"), cipher.final()]).toString("base64url");
}
