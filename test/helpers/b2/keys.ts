import { B2Error, unauthorized } from "./errors.ts";

/** What the master key may do. */
export const allCapabilities: readonly string[] = [
  "listKeys",
  "writeKeys",
  "deleteKeys",
  "listBuckets",
  "listAllBucketNames",
  "readBuckets",
  "writeBuckets",
  "deleteBuckets",
  "readBucketEncryption",
  "writeBucketEncryption",
  "readBucketRetentions",
  "writeBucketRetentions",
  "readBucketReplications",
  "writeBucketReplications",
  "listFiles",
  "readFiles",
  "shareFiles",
  "writeFiles",
  "deleteFiles",
  "readFileRetentions",
  "writeFileRetentions",
  "readFileLegalHolds",
  "writeFileLegalHolds",
  "bypassGovernance",
];

/** An application key and what it is restricted to. */
export interface Key {
  readonly keyId: string;
  readonly key: string;
  readonly capabilities: readonly string[];
  readonly bucketId: string | undefined;
  readonly namePrefix: string | undefined;
}

/** What a token was given for: an account, or one upload or download address. */
export interface Token {
  readonly kind: "account" | "upload" | "part" | "download";
  readonly key: Key;
  /** The bucket of an upload or download, the large file of a part. */
  readonly target: string;
  readonly prefix: string;
}

export interface Tokens {
  /** Gives a token that is good for `seconds` of the server's clock, a day unless told. */
  give: (token: Token, seconds?: number) => string;
  /** Throws 401 unless the token is there, not expired, and of this kind. */
  check: (text: string | undefined, kinds: readonly Token["kind"][]) => Token;
  expire: () => void;
}

const aDay = 86_400;

/** No tokens yet. */
export function makeTokens(now: () => number): Tokens {
  const tokens = new Map<string, { readonly token: Token; ends: number }>();
  return {
    give: (token, seconds = aDay) => {
      const text = `4_${token.kind}_${tokens.size}_${token.key.keyId}`;
      tokens.set(text, { token, ends: now() + seconds * 1000 });
      return text;
    },
    check: (text, kinds) => {
      const found = text === undefined ? undefined : tokens.get(text);
      if (found === undefined || !kinds.includes(found.token.kind))
        throw new B2Error(401, "bad_auth_token", "Invalid authorization token");
      if (found.ends <= now())
        throw new B2Error(401, "expired_auth_token", "Authorization token has expired");
      return found.token;
    },
    expire: () => {
      for (const held of tokens.values()) held.ends = Number.NEGATIVE_INFINITY;
    },
  };
}

/** Throws unless the key may do this to this bucket and to names that start so. */
export function allow(key: Key, capability: string, bucketId?: string, name?: string): void {
  if (!key.capabilities.includes(capability))
    throw unauthorized(
      `unauthorized for application key with capabilities '${key.capabilities.join(",")}'`,
    );
  if (bucketId !== undefined && key.bucketId !== undefined && key.bucketId !== bucketId)
    throw unauthorized("unauthorized for application key restricted to another bucket");
  if (name !== undefined && !name.startsWith(key.namePrefix ?? ""))
    throw unauthorized(`unauthorized for application key with prefix '${key.namePrefix}'`);
}
