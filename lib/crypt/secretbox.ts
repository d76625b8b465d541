/** Opens sealed blocks of up to `most` bytes with one key. */
export interface SecretBox {
  /**
   * The plain bytes of a block, written over it: no memory is taken for each. Throws when it isn't
   * authentic.
   */
  open(block: Uint8Array, nonce: Uint8Array): Uint8Array;
  /** Forgets the key. Nothing can be opened after. */
  close(): void;
}

/** Bytes that sealing adds. */
const tag = 16;
const nonceLength = 24;

/** libsodium itself, below what libsodium-wrappers makes of it. */
interface Sodium {
  /** Its memory; another array when it has grown. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  /** 0 where the block is authentic; 64-bit lengths come in two halves. */
  _crypto_secretbox_open_easy(
    plain: number,
    sealed: number,
    low: number,
    high: number,
    nonce: number,
    key: number,
  ): number;
}

/**
 * XSalsa20 and Poly1305 by libsodium, in memory of its own that is taken once: its wrapper takes new
 * memory for each block, which a file of 10 GB has 160,000 of. Throws a TypeError where libsodium is not
 * what we know.
 */
export async function openSecretBox(key: Uint8Array, most: number): Promise<SecretBox> {
  const sodium = await loadSodium();
  const size = most + nonceLength + key.length;
  const address = sodium._malloc(size);
  const [nonceAt, keyAt] = [address + most, address + most + nonceLength];
  sodium.HEAPU8.set(key, keyAt);
  return {
    open(block, nonce) {
      if (block.length < tag || block.length > most || nonce.length !== nonceLength)
        throw new RangeError("expected a sealed block");
      sodium.HEAPU8.set(block, address);
      sodium.HEAPU8.set(nonce, nonceAt);
      const { length } = block;
      if (sodium._crypto_secretbox_open_easy(address, address, length, 0, nonceAt, keyAt) !== 0)
        throw new Error("expected an authentic block");
      block.set(sodium.HEAPU8.subarray(address, address + length - tag));
      return block.subarray(0, length - tag);
    },
    close() {
      sodium.HEAPU8.fill(0, address, address + size);
      sodium._free(address);
    },
  };
}

/** Loads libsodium beside other work, so that openSecretBox finds it loaded. Throws what that throws. */
export async function prepareSecretBox(): Promise<void> {
  await loadSodium();
}

async function loadSodium(): Promise<Sodium> {
  const { default: wrapper } = await import("libsodium-wrappers");
  await wrapper.ready;
  return sodiumOf(wrapper);
}

function sodiumOf(wrapper: object): Sodium {
  const found: unknown = "libsodium" in wrapper ? wrapper.libsodium : undefined;
  if (isSodium(found)) return found;
  throw new TypeError("expected libsodium in libsodium-wrappers");
}

function isSodium(found: unknown): found is Sodium {
  if (typeof found !== "object" || found === null) return false;
  const functions: readonly string[] = ["_malloc", "_free", "_crypto_secretbox_open_easy"];
  const has = (name: string): boolean => typeof Reflect.get(found, name) === "function";
  return functions.every(has) && Reflect.get(found, "HEAPU8") instanceof Uint8Array;
}
