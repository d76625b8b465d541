/** What requests are signed with. */
export interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Milliseconds since 1970; undefined for keys that stay good. */
  readonly expiresAt?: number;
}

/** Keys, with a session token where there is one. */
export function withToken(
  accessKeyId: string,
  secretAccessKey: string,
  sessionToken: string | undefined,
): Keys {
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}
