import { stringValue, types, type Value } from "./bson.ts";
import { documentName } from "./names.ts";

/**
 * The id of which documentName made a name, where the name tells it; undefined for a name that was cut, or
 * is none of ours.
 */
export function idOfName(name: string): Value | undefined {
  const match = /^([a-z][0-9a-f]{0,2})-([^~]*)(?:~[0-9a-f]+)?\.bson$/.exec(name);
  const [, kind = "", text = ""] = match ?? [];
  const id = read(kind, text);
  // So a mistake in reading can only cost a look into the file.
  return id !== undefined && documentName(id) === name ? id : undefined;
}

function read(kind: string, text: string): Value | undefined {
  switch (kind) {
    case "o":
      return { type: types.objectId, bytes: hex(text) };
    case "s":
      return stringOf(text);
    case "u":
      return {
        type: types.binary,
        bytes: Buffer.concat([Buffer.from([16, 0, 0, 0, 4]), hex(text.replaceAll("-", ""))]),
      };
    case "i":
      return number(types.int32, text);
    case "l":
      return number(types.int64, text);
    case "t":
      return number(types.date, text);
    case "d":
      return double(text);
    default: {
      const type = /^v([0-9a-f]{2})$/.exec(kind)?.[1];
      return type === undefined ? undefined : { type: Number.parseInt(type, 16), bytes: hex(text) };
    }
  }
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function stringOf(text: string): Value {
  const latin = text.replaceAll(/%([0-9a-f]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
  return stringValue(Buffer.from(latin, "latin1"));
}

function number(type: number, text: string): Value | undefined {
  if (!/^-?\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt.asIntN(64, value));
  return { type, bytes: type === types.int32 ? bytes.subarray(0, 4) : bytes };
}

function double(text: string): Value {
  const bytes = Buffer.alloc(8);
  if (/^%[0-9a-f]{16}$/.test(text)) bytes.writeBigUInt64LE(BigInt(`0x${text.slice(1)}`));
  else bytes.writeDoubleLE(Number(text));
  return { type: types.double, bytes };
}
