import { usage } from "../../errors.ts";
import { isFields, list, text, unexpected, whole, type Fields } from "./answers.ts";

/** What a key may do; the names are Backblaze's. */
export type Capability = "listFiles" | "readFiles" | "writeFiles" | "deleteFiles";

/** What the service says of a key. */
export interface Authorization {
  readonly accountId: string;
  readonly token: string;
  readonly apiUrl: string;
  readonly downloadUrl: string;
  /** Bytes. */
  readonly recommendedPartSize: number;
  readonly capabilities: ReadonlySet<string>;
  /** The buckets that the key is restricted to; undefined: every bucket of the account. */
  readonly buckets:
    | readonly { readonly id: string; readonly name: string | undefined }[]
    | undefined;
  /** Beginning of the only names that the key may use; empty: every name. */
  readonly namePrefix: string;
}

const operation = "b2_authorize_account";

/**
 * Reads the answer of any version of the call from 2 on: in 2 the facts stand at the top, from 3 on
 * in apiInfo.storageApi, and from 4 on a key may have several buckets. Throws a Failure for anything else.
 */
export function readAuthorization(answer: Fields): Authorization {
  const api = storageApi(answer);
  const allowed = isFields(api["allowed"]) ? api["allowed"] : api;
  const capabilities: unknown = allowed["capabilities"];
  if (!Array.isArray(capabilities))
    throw unexpected(operation, "a list of capabilities", capabilities);
  return {
    accountId: text(operation, answer, "accountId"),
    token: text(operation, answer, "authorizationToken"),
    apiUrl: text(operation, api, "apiUrl"),
    downloadUrl: text(operation, api, "downloadUrl"),
    recommendedPartSize: whole(operation, api, "recommendedPartSize"),
    capabilities: new Set(capabilities.map(String)),
    buckets: restriction(allowed),
    namePrefix: optional(allowed["namePrefix"]) ?? "",
  };
}

function storageApi(answer: Fields): Fields {
  const info = answer["apiInfo"];
  if (!isFields(info)) return answer;
  const storage = info["storageApi"];
  if (!isFields(storage)) throw unexpected(operation, "apiInfo.storageApi", storage);
  return storage;
}

function restriction(allowed: Fields): Authorization["buckets"] {
  if (Array.isArray(allowed["buckets"]))
    return list(operation, allowed, "buckets").map((bucket) => ({
      id: text(operation, bucket, "id"),
      name: optional(bucket["name"]),
    }));
  const id = optional(allowed["bucketId"]);
  return id === undefined ? undefined : [{ id, name: optional(allowed["bucketName"]) }];
}

function optional(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

const purposes: Record<Capability, string> = {
  listFiles: "listing what is stored",
  readFiles: "reading what is stored",
  writeFiles: "adding, copying and hiding files",
  deleteFiles: "removing versions for good",
};

/** Throws a usage failure that names the first capability that a key lacks. */
export function demand(
  authorization: Authorization,
  keyId: string,
  capabilities: readonly Capability[],
): void {
  const missing = capabilities.find((each) => !authorization.capabilities.has(each));
  if (missing !== undefined) throw lacking(missing, keyId);
}

/** The failure for a key that lacks a capability. The id of a key is no secret. */
function lacking(capability: Capability, keyId: string): Error {
  return usage(
    `application key ${keyId}: expected the capability ${capability} (${purposes[capability]}), found a key without it`,
    { hint: `use a key that has ${capability}, in a remote of its own if need be` },
  );
}
