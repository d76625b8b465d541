import type { Handler } from "./call.ts";
import { bucketOf, isRecord, number, optional, permit, text } from "./call.ts";
import { B2Error, badRequest, unauthorized } from "./errors.ts";
import type { Key } from "./keys.ts";
import type { Bucket, Service } from "./service.ts";
import { accountId } from "./service.ts";
import { bucketJson } from "./wire.ts";

/** Authorisation and buckets. */
export const accountApis: Readonly<Record<string, Handler>> = {
  b2_authorize_account: ({ authorization, service, apiVersion }) => {
    const key = login(service, authorization);
    const token = service.tokens.give({ kind: "account", key, target: "", prefix: "" });
    const common = { accountId, authorizationToken: token };
    if (apiVersion < 3) return { json: { ...common, ...flat(service, key) } };
    const expiry = { applicationKeyExpirationTimestamp: null };
    return { json: { ...common, ...expiry, apiInfo: nested(service, key, apiVersion) } };
  },
  b2_list_buckets: (call) => {
    const { service } = call;
    const [id, name] = [optional(call, "bucketId"), optional(call, "bucketName")];
    const { key } = service.tokens.check(call.authorization, ["account"]);
    if (!["listBuckets", "listAllBucketNames"].some((one) => key.capabilities.includes(one)))
      throw unauthorized("unauthorized: listBuckets is missing");
    const wanted = [...service.buckets.values()].filter(
      (bucket) => (id ?? bucket.id) === bucket.id && (name ?? bucket.name) === bucket.name,
    );
    const own = key.bucketId;
    const asksForOwn =
      own === undefined || id === own || (name !== undefined && wanted[0]?.id === own);
    if (!asksForOwn) throw unauthorized("unauthorized for an application key of one bucket");
    return { json: { buckets: wanted.map(bucketJson) } };
  },
  b2_create_bucket: (call) => {
    permit(call, "writeBuckets");
    const bucket = call.service.addBucket(text(call, "bucketName"));
    change(bucket, call.body);
    return { json: bucketJson(bucket) };
  },
  b2_update_bucket: (call) => {
    const bucket = bucketOf(call, "writeBuckets");
    const revision = number(call, "ifRevisionIs");
    if (revision !== undefined && revision !== bucket.revision)
      throw new B2Error(409, "conflict", "ifRevisionIs does not match the bucket's revision");
    change(bucket, call.body);
    bucket.revision += 1;
    return { json: bucketJson(bucket) };
  },
  b2_delete_bucket: (call) => {
    const bucket = bucketOf(call, "deleteBuckets");
    if (bucket.source.length > 0)
      throw new B2Error(
        400,
        "cannot_delete_non_empty_bucket",
        "A bucket with files can't be deleted",
      );
    call.service.buckets.delete(bucket.id);
    return { json: bucketJson(bucket) };
  },
  b2_get_download_authorization: (call) => {
    const prefix = optional(call, "fileNamePrefix") ?? "";
    const bucket = bucketOf(call, "shareFiles", prefix);
    const { key } = permit(call, "shareFiles");
    const seconds = number(call, "validDurationInSeconds");
    if (seconds === undefined || seconds < 1 || seconds > 604_800)
      throw badRequest("validDurationInSeconds must be from 1 to 604800");
    const token = { kind: "download", key, target: bucket.id, prefix } as const;
    const authorizationToken = call.service.tokens.give(token, seconds);
    return { json: { bucketId: bucket.id, fileNamePrefix: prefix, authorizationToken } };
  },
};

function login(service: Service, authorization: string | undefined): Key {
  const [scheme, credentials = ""] = (authorization ?? "").split(" ");
  const [keyId = "", secret] = Buffer.from(credentials, "base64").toString().split(":");
  const key = service.keys.get(keyId);
  if (scheme !== "Basic" || key === undefined || key.key !== secret)
    throw unauthorized("The applicationKeyId or applicationKey is wrong");
  return key;
}

function addresses({ url, sizes }: Service): Record<string, unknown> {
  const { recommendedPartSize, absoluteMinimumPartSize } = sizes;
  return {
    apiUrl: url,
    downloadUrl: url,
    s3ApiUrl: url,
    recommendedPartSize,
    absoluteMinimumPartSize,
  };
}

// Versions 1 and 2 of the API.
function flat(service: Service, key: Key): Record<string, unknown> {
  const { recommendedPartSize: minimumPartSize } = service.sizes;
  return { ...addresses(service), minimumPartSize, allowed: restrictions(service, key) };
}

// Version 3 has the restrictions beside the addresses, version 4 in `allowed`, as a list of buckets.
function nested(service: Service, key: Key, version: number): Record<string, unknown> {
  const { bucketId, bucketName, capabilities, namePrefix } = restrictions(service, key);
  const buckets = bucketId === null ? null : [{ id: bucketId, name: bucketName }];
  const allowed = { buckets, capabilities, namePrefix };
  const old = { bucketId, bucketName, capabilities, namePrefix };
  const own = version < 4 ? old : { allowed };
  return { storageApi: { infoType: "storageApi", ...addresses(service), ...own } };
}

function restrictions(service: Service, key: Key): Record<string, unknown> {
  const bucketId = key.bucketId ?? null;
  const bucketName = bucketId === null ? null : (service.buckets.get(bucketId)?.name ?? null);
  const { capabilities } = key;
  return { bucketId, bucketName, capabilities, namePrefix: key.namePrefix ?? null };
}

function change(bucket: Bucket, body: Readonly<Record<string, unknown>>): void {
  const { bucketType, bucketInfo, corsRules, lifecycleRules } = body;
  if (typeof bucketType === "string") bucket.type = bucketType;
  if (isRecord(bucketInfo)) bucket.info = bucketInfo;
  if (Array.isArray(corsRules)) bucket.corsRules = corsRules;
  if (Array.isArray(lifecycleRules)) bucket.lifecycleRules = lifecycleRules;
}
