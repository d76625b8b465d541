import { scrypt, scryptSync, type ScryptOptions } from "node:crypto";
import { promisify } from "node:util";
import { revealBytes } from "./obscure.ts";

/** The keys of a crypt remote. */
export interface CryptKeys {
  /** Encrypts contents; 32 bytes. */
  readonly data: Uint8Array;
  /** Encrypts names; 32 bytes. */
  readonly name: Uint8Array;
  /** Goes into every name; 16 bytes. */
  readonly tweak: Uint8Array;
}

/** Used where there is no second password; published in rclone's backend/crypt and no secret. */
const defaultSalt = Buffer.from("a80df43a8fbd0308a7cab83e581f86b1", "hex");

/** Names and contents of one remote want the same keys; making them takes 16 MiB each time too. */
const known = new WeakMap<ReadonlyMap<string, string>, CryptKeys>();

/**
 * The keys that rclone makes of the passwords in a crypt remote's options, which are obscured
 * there. Takes some 60 ms of computing, as it is meant to, the first time that it gets these options.
 * An empty password gives keys of zeros.
 */
export function cryptKeys(options: ReadonlyMap<string, string>): CryptKeys {
  const keys = known.get(options) ?? derive(options);
  known.set(options, keys);
  return keys;
}

/** Makes them beside other work, so that cryptKeys finds them made. Throws what that throws. */
export async function prepareKeys(options: ReadonlyMap<string, string>): Promise<void> {
  if (known.has(options)) return;
  const { password, salt } = phrases(options);
  if (password.length === 0) return;
  known.set(options, split(await derived(password, salt, keyLength, cost)));
}

const keyLength = 80;
const cost = { N: 16_384, r: 8, p: 1 };
const derived = promisify<Buffer, Buffer, number, ScryptOptions, Buffer>(scrypt);

function derive(options: ReadonlyMap<string, string>): CryptKeys {
  const { password, salt } = phrases(options);
  return split(
    password.length === 0 ? Buffer.alloc(keyLength) : scryptSync(password, salt, keyLength, cost),
  );
}

function split(key: Buffer): CryptKeys {
  return { data: key.subarray(0, 32), name: key.subarray(32, 64), tweak: key.subarray(64, 80) };
}

function phrases(options: ReadonlyMap<string, string>): { password: Buffer; salt: Buffer } {
  const salt = secret(options, "password2");
  return {
    password: secret(options, "password"),
    salt: salt.length === 0 ? defaultSalt : salt,
  };
}

function secret(options: ReadonlyMap<string, string>, key: string): Buffer {
  const obscured = options.get(key) ?? "";
  return obscured === "" ? Buffer.alloc(0) : revealBytes(obscured);
}
