import { createHash } from "node:crypto";
import { textFromRaw } from "../../units/rawpath.ts";
import type { Limiter } from "../limiter.ts";
import type { StoreNames } from "../names.ts";
import type { Removal, StoredVersion } from "../store.ts";
import type { StoreWorld } from "../world.ts";
import type { CallOptions, S3Api } from "./api.ts";
import { concernsAll, faultFailure, faultOf, mayPass, type Fault } from "./faults.ts";
import { escaped, optional } from "./xml.ts";

const mostAtOnce = 1000;
/** How often versions that the server was too busy for are asked for again. */
const rounds = 5;

export interface Remover {
  readonly api: S3Api;
  readonly names: StoreNames;
  readonly limiter: Limiter;
  readonly world: StoreWorld;
  readonly place: string;
  /** Whether the store still has this version. */
  readonly has: (version: StoredVersion, signal: AbortSignal) => Promise<boolean>;
}

interface Wanted {
  readonly version: StoredVersion;
  readonly key: string;
  readonly id: string;
}

/** Removes exactly these versions, many in one call; results in their order. */
export async function removeVersions(
  remover: Remover,
  versions: readonly StoredVersion[],
  signal: AbortSignal | undefined,
): Promise<readonly Removal[]> {
  const { limiter, names } = remover;
  const batches: Wanted[][] = [];
  for (let at = 0; at < versions.length; at += mostAtOnce)
    batches.push(
      versions
        .slice(at, at + mostAtOnce)
        .map((version) => ({ version, ...names.address(version) })),
    );
  const results = await limiter.map(
    batches,
    (batch, stop) => batchOf(remover, batch, stop),
    signal,
  );
  return results.flat();
}

async function batchOf(
  remover: Remover,
  batch: readonly Wanted[],
  signal: AbortSignal,
): Promise<Removal[]> {
  const results = new Map<string, Removal>();
  const call = { signal, subject: `${remover.place}: to remove ${batch.length} versions` };
  let pending = batch.filter(({ key }) => escaped(key) !== undefined);
  for (let round = 1; pending.length > 0; round += 1) {
    const faults = await removeAtOnce(remover, pending, call);
    if (faults === undefined) break;
    const busy: Wanted[] = [];
    for (const wanted of pending) {
      const fault = faults.get(wanted.key);
      if (fault !== undefined && mayPass(fault) && round < rounds) busy.push(wanted);
      else results.set(wanted.key, await removal(remover, wanted.version, fault, signal));
    }
    pending = busy;
    if (busy.length > 0) await remover.world.sleep(1000 * 2 ** round, signal);
  }
  // What XML can't hold, and servers that know no removal of many.
  for (const wanted of batch) {
    if (results.has(wanted.key)) continue;
    const fault = await removeOne(remover, wanted, call);
    results.set(wanted.key, await removal(remover, wanted.version, fault, signal));
  }
  return batch.flatMap(({ key }) => results.get(key) ?? []);
}

const silent: Fault = { status: 200, code: "", message: "no word of it", region: undefined };

/** What was refused, by key; undefined where the server can't remove many in one call; results in their order. */
async function removeAtOnce(
  { api }: Remover,
  wanted: readonly Wanted[],
  call: CallOptions,
): Promise<Map<string, Fault> | undefined> {
  const objects = wanted.map(
    ({ key, id }) =>
      `<Object><Key>${escaped(key)}</Key><VersionId>${escaped(id)}</VersionId></Object>`,
  );
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${objects.join("")}</Delete>`;
  const answer = await api.ask(
    {
      billed: "delete",
      method: "POST",
      query: { delete: "" },
      headers: { "content-md5": createHash("md5").update(body).digest("base64") },
      body,
      answer: "DeleteResult",
    },
    call,
  );
  if (answer.fault !== undefined) {
    const { status, code } = answer.fault;
    if (status === 501 || status === 405 || code === "NotImplemented") return undefined;
    throw faultFailure(call.subject, answer.fault);
  }
  const faults = new Map(wanted.map(({ key }) => [key, silent]));
  for (const child of answer.root?.children ?? []) {
    const key = optional(child, "Key") ?? "";
    if (child.name === "Deleted") faults.delete(key);
    if (child.name === "Error") faults.set(key, faultOf(child, 200));
  }
  return faults;
}

async function removeOne(
  { api }: Remover,
  { key, id }: Wanted,
  call: CallOptions,
): Promise<Fault | undefined> {
  const answer = await api.ask(
    { billed: "delete", method: "DELETE", key, query: { versionId: id } },
    call,
  );
  return answer.fault;
}

async function removal(
  { place, has }: Remover,
  version: StoredVersion,
  fault: Fault | undefined,
  signal: AbortSignal,
): Promise<Removal> {
  if (fault === undefined) return { version, result: "removed" };
  if (fault.code === "NoSuchVersion" || fault.code === "NoSuchKey")
    return { version, result: "gone" };
  // So do some servers call a version that they had a moment ago.
  if (fault.code === "InvalidArgument" && !(await has(version, signal)))
    return { version, result: "gone" };
  const error = faultFailure(
    `${place}: to remove a version of ${textFromRaw(version.name)}`,
    fault,
  );
  if (concernsAll(fault)) throw error;
  return { version, result: "failed", error };
}
