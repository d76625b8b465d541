import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../../errors.ts";
import { findStore, type FoundStore } from "../../stores/find.ts";
import type { Store } from "../../stores/store.ts";
import type { StoreWorld } from "../../stores/world.ts";
import { formatSpan } from "../../units/format.ts";
import { storeWorld } from "../openhistory.ts";
import type { Session } from "../session.ts";
import { findingOf, warning, type Finding } from "./finding.ts";

/** How much the two clocks may differ, in milliseconds: more is told. */
const clockTolerance = 5 * 60_000;

/** Milliseconds after which a server that says nothing is given up. */
const timeouts = { headersTimeout: 10_000, bodyTimeout: 10_000 };

/**
 * What the store of a destination can do, by its own API: what its key may, whether it keeps versions,
 * and what its clock says.
 */
export async function checkStore(session: Session): Promise<Finding[]> {
  const { kind, prune } = session.backup.history;
  const found = seenThrough(session);
  const type = found?.type;
  if (kind !== "auto" && kind !== "dir" && kind !== "none" && kind !== type)
    return [
      {
        ...{ level: "error", check: "history", hint: "leave it out: it is found by itself" },
        text: `history.kind: expected the kind of the store, ${type ?? "which can't be seen"}, found ${kind}`,
      },
    ];
  if (found !== undefined && type === "b2") return checkB2(found, session);
  if (found !== undefined && type === "s3" && kind !== "dir" && kind !== "none")
    return checkS3(found, session);
  if (kind === "dir" || (kind === "none" && !prune)) return [];
  const text = "history: expected a store that keeps old versions, found one that keeps none";
  const hint =
    "set kind = dir in [history] to keep what a run replaces or deletes, or kind = none to say that nothing shall be kept";
  return [{ level: prune ? "error" : "warning", check: "history", text, hint }];
}

/** The store below; undefined where it can't be told here. */
function seenThrough({ backup, remotes, rclone }: Session): FoundStore | undefined {
  try {
    return findStore(backup.destination, { remotes, env: rclone.env });
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

async function checkB2({ options, path }: FoundStore, session: Session): Promise<Finding[]> {
  const { prune } = session.backup.history;
  const { openB2 } = await import("../../stores/b2/open.ts");
  const given = { options, path, world: boundedWorld(session), timeouts };
  const findings: Finding[] = [];
  try {
    const store = await openB2({ ...given, needs: ["readFiles", "writeFiles"] });
    findings.push(...(await checkClock(store, session)));
    await store.close();
  } catch (error) {
    return [findingOf("key", error)];
  }
  try {
    await (await openB2({ ...given, needs: ["deleteFiles"] })).close();
  } catch (error) {
    const finding = findingOf("key", error, prune ? "error" : "warning");
    findings.push({
      ...finding,
      hint: prune
        ? "give the key deleteFiles, or set prune = no in [history] and prune by a remote with another key"
        : "that is good for a key that is used every night; rclone-prune and rclone-cleanup need another one",
    });
  }
  return findings;
}

async function checkS3({ options, path }: FoundStore, session: Session): Promise<Finding[]> {
  const { kind, prune } = session.backup.history;
  const { openS3 } = await import("../../stores/s3/open.ts");
  const notes: string[] = [];
  try {
    const store = await openS3({
      ...{ options, path, world: boundedWorld(session), timeouts },
      onNote: (note) => notes.push(note),
    });
    const findings = await checkClock(store, session);
    await store.close();
    const hint = "switch versioning on, or set kind = dir in [history]";
    return [...findings, ...notes.map((note) => warning("history", note, hint))];
  } catch (error) {
    const isOptional = error instanceof Failure && error.outcome === "usage";
    const level = isOptional && kind === "auto" && !prune ? "warning" : "unreachable";
    return [findingOf("history", error, level)];
  }
}

/** Its pauses end when the time for all checks is up. */
function boundedWorld({ world }: Session): StoreWorld {
  return {
    ...storeWorld({ world }),
    sleep: async (ms) => sleep(ms, undefined, { signal: world.signal }),
  };
}

async function checkClock(store: Store, { world }: Session): Promise<Finding[]> {
  const theirs = await store.now();
  if (theirs === undefined) return [];
  const ahead = world.now().getTime() - theirs.getTime();
  if (Math.abs(ahead) <= clockTolerance) return [];
  return [
    warning(
      "clock",
      `clock: expected this machine's to show ${theirs.toISOString()}, as the store's does, found it ${formatSpan(Math.abs(ahead) / 1000)} ${ahead > 0 ? "ahead" : "behind"}`,
      "let it be set by the network (timedatectl set-ntp true): more than an hour, and rclone-prune refuses",
    ),
  ];
}
