import pMap from "p-map";
import type { FoundConfig } from "../../config/all.ts";
import { entitled, entitledInTurn, type Wanting } from "../../suite/budget.ts";
import { transactionsPerFile } from "../../verify/next.ts";
import type { World } from "../session.ts";
import { demandOf } from "../status/demand.ts";
import type { ChildWorld } from "./child.ts";
import { readDocument } from "./document.ts";
import type { NightVerification } from "./night.ts";
import { fileOf, mostFiles, runCommandOf, unsaid, type Starting } from "./one.ts";
import type { Cost, Purse } from "./purse.ts";
import { wantedBytes, wantedRequests, type Sharer } from "./sharers.ts";

/** A file takes two requests; with less nothing can be read. */
const leastTransactions = transactionsPerFile;
const nothing: Cost = { bytes: 0, transactions: 0 };

/** What is left of a round is worth another one from this many bytes on. */
const worthwhile = 1024 * 1024;

/**
 * Reads back what comes next in each backup whose turn it is, within its fair share of the day; what one does
 * not take goes to the others in a second round.
 */
export async function verifyWithin(
  purse: Purse,
  sharers: readonly Sharer[],
  options: Starting,
  world: ChildWorld & Pick<World, "events" | "now"> & { readonly jobs: number },
  onVerified: (config: FoundConfig, verification: NightVerification) => void,
): Promise<void> {
  tellTooFew(purse, sharers, world);
  let all = sharers;
  for (let round = 0; round < 2; round += 1) {
    const left = purse.bytes - purse.spent;
    if (left <= 0 || (round > 0 && left < worthwhile)) return;
    const work = sharesOf(purse, all);
    if (work.length === 0) return;
    const after = new Map<FoundConfig, Sharer>();
    await pMap(
      work,
      async ({ sharer, share, requests }) => {
        if (world.signal.aborted) return;
        const { config, rest } = sharer;
        const reserved = { bytes: share, transactions: requests ?? 0 };
        if (!(await purse.reserve(config.file, reserved))) return;
        const limit = requests === undefined ? [] : ["--max-transactions", String(requests)];
        const words = ["--verify-next", String(share), ...limit];
        const verification = await verifyOne("next", config, reserved, words, options, world);
        await purse.settle(config.file, reserved, verification);
        onVerified(config, verification);
        const bytes = Math.max(rest.bytes - verification.bytes, 0);
        // One that could not use its share won't use more.
        const again =
          verification.outcome === "done" && verification.bytes >= share / 2 && bytes > 0;
        after.set(config, {
          config,
          rest: { files: rest.files, bytes },
          turn: again ? "now" : "done",
        });
      },
      { concurrency: world.jobs },
    );
    all = all.map((sharer) => after.get(sharer.config) ?? sharer);
  }
}

interface Share {
  readonly sharer: Sharer;
  /** Bytes. */
  readonly share: number;
  /** Undefined where they don't count. */
  readonly requests: number | undefined;
}

/** What each may read now; those that may read nothing are not among them. */
function sharesOf(purse: Purse, all: readonly Sharer[]): Share[] {
  const { transactions, transactionsLeft } = purse;
  const requests =
    transactions === undefined
      ? undefined
      : entitledInTurn(
          transactions,
          transactionsLeft ?? 0,
          all.map((sharer) => wantedRequests(sharer, purse)),
          leastTransactions,
        );
  const hasRequests = (at: number): boolean =>
    requests === undefined || (requests[at] ?? 0) >= leastTransactions;
  // What has no requests leaves its bytes to the others.
  const wanting = all.map((sharer, at): Wanting => {
    const wanted = wantedBytes(sharer, purse);
    return wanted.turn === "now" && !hasRequests(at) ? { ...wanted, turn: "done" } : wanted;
  });
  const shares = entitled(purse.bytes, purse.bytes - purse.spent, wanting);
  return all
    .map((sharer, at) => ({ sharer, share: shares[at] ?? 0, requests: requests?.[at] }))
    .filter(({ share }) => share > 0);
}

/** Where a day has too few requests for all, they take turns, which somebody should know. */
function tellTooFew(
  purse: Purse,
  sharers: readonly Sharer[],
  { events }: Pick<World, "events">,
): void {
  const wanting = sharers.filter(({ config, rest }) => demandOf(config, rest).bytes > 0).length;
  const { transactions } = purse;
  if (transactions === undefined || transactions >= wanting * leastTransactions) return;
  events.warn(
    `verification: expected VERIFY_TRANSACTIONS to be at least ${wanting * leastTransactions}, ${leastTransactions} for each backup, found ${transactions}; the backups take turns, so that not each is read back every day`,
  );
}

/** Compares the checksums of a whole backup; nothing is downloaded. */
export async function verifyHashes(
  config: FoundConfig,
  options: Starting,
  world: ChildWorld & Pick<World, "now">,
): Promise<NightVerification> {
  return verifyOne("hash", config, nothing, ["--verify", "hash"], options, world);
}

async function verifyOne(
  kind: NightVerification["kind"],
  config: FoundConfig,
  reserved: Cost,
  words: readonly string[],
  options: Starting,
  world: ChildWorld & Pick<World, "now">,
): Promise<NightVerification> {
  const child = await runCommandOf(config, words, options, world);
  const document = readDocument(child.document);
  const finishedAt = world.now().toISOString();
  const base = { kind, outcome: child.outcome, finishedAt, share: reserved.bytes };
  if (document?.kind === "verify") {
    const { verified, differences, errors } = document;
    const gone = document.gone?.files ?? 0;
    // What was to be read is what may have been paid for; a verification without a budget has none.
    const spent = document.spent ?? { ...verified, transactions: 0 };
    return {
      ...base,
      isTold: true,
      ...{ files: verified.files, bytes: spent.bytes, transactions: spent.transactions },
      message:
        child.outcome === "done"
          ? undefined
          : `verification: ${differences.length} files differ, ${errors.length} could not be compared${gone === 0 ? "" : `, ${gone} are not in the source any more`}`,
      differences: differences.slice(0, mostFiles).map(fileOf),
    };
  }
  // Nobody knows what it read, so all of it counts; one that was not begun read nothing.
  const begun = child.outcome !== "skipped" && child.outcome !== "usage";
  return {
    ...base,
    isTold: false,
    ...{ files: 0, ...(begun ? reserved : nothing) },
    message: document?.kind === "error" ? document.message : unsaid(child),
    differences: [],
  };
}
