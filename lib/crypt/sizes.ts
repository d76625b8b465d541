/** What stands before the content: 8 bytes of magic and a nonce of 24. */
export const headerSize = 32;
/** Plain bytes in a block; the last block may have fewer. */
export const blockSize = 65_536;
/** Bytes by which a block grows. */
export const overhead = 16;

/** Bytes that so many plain bytes become. */
export function encryptedSize(plain: number): number {
  return headerSize + plain + overhead * Math.ceil(plain / blockSize);
}

/** Plain bytes of so many encrypted ones; undefined for a size that no encrypted file has. */
export function decryptedSize(encrypted: number): number | undefined {
  const content = encrypted - headerSize;
  if (!Number.isSafeInteger(content) || content < 0) return undefined;
  const rest = content % (blockSize + overhead);
  if (rest > 0 && rest <= overhead) return undefined;
  return content - overhead * Math.ceil(content / (blockSize + overhead));
}

/** Whether a crypt remote with these options encrypts contents too; some encrypt names only. */
export function encryptsContent(options: ReadonlyMap<string, string>): boolean {
  return !/^(true|t|1)$/i.test(options.get("no_data_encryption") ?? "");
}
