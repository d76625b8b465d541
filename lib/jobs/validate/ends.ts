import { access, constants, readdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { comparesChecksums } from "../../config/flags.ts";
import { failed, systemCode } from "../../errors.ts";
import { topArgs } from "../../rclone/files.ts";
import { lookForFiles } from "../../rclone/listing.ts";
import { runRclone } from "../../rclone/run.ts";
import { probeDestination } from "../backup/probe.ts";
import { checkRequired } from "../backup/required.ts";
import { comparisonOf, refuseBlindChecksums } from "../backup/comparing.ts";
import { localPath, type Session } from "../session.ts";
import { findingOf, warning, type Finding } from "./finding.ts";

/** Whether the source is there and can be read, and what the guards require of it. */
export async function checkSourceEnd(session: Session): Promise<Finding[]> {
  const { localSource } = session;
  const findings: Finding[] = [];
  if (localSource === undefined) findings.push(...(await checkRemoteSource(session)));
  else findings.push(...(await checkLocalSource(localSource)));
  try {
    await checkRequired({ session });
  } catch (error) {
    findings.push(findingOf("source", error));
  }
  return findings;
}

async function checkLocalSource(path: string): Promise<Finding[]> {
  try {
    await access(path, constants.R_OK | constants.X_OK);
    if ((await readdir(path)).length > 0) return [];
    return [
      warning(
        "source",
        `source: expected files in ${path}, found it empty`,
        "is its disk mounted? A run refuses to back up nothing where there was something",
      ),
    ];
  } catch (error) {
    const text = `source: expected a directory ${path} that can be read, found ${systemCode(error) ?? "none"}`;
    return [findingOf("source", failed(text, { hint: "is its disk mounted?", cause: error }))];
  }
}

async function checkRemoteSource(session: Session): Promise<Finding[]> {
  const { rclone, source, tuning, world } = session;
  const { code, lastError } = await runRclone(rclone, {
    args: topArgs(source, tuning),
    signal: world.signal,
  });
  if (code === 0) return [];
  const text = `source: expected a listing, found rclone exit code ${code}: ${lastError ?? "no message"}`;
  return [findingOf("source", failed(text))];
}

/** Whether the destination answers. One that is not there yet will be made by the first run. */
export async function checkDestinationEnd(session: Session): Promise<Finding[]> {
  const { rclone, destination, tuning, world } = session;
  const down = await probeDestination(session, world.signal);
  if (down !== undefined)
    return [findingOf("destination", failed(down, { hint: "is it switched on?" }))];
  const local = localPath(session.destinationPlace) ?? belowCrypt(session);
  if (local !== undefined && !(await isThere(dirname(local))) && !(await isThere(local)))
    return [
      warning(
        "destination",
        `destination: expected a directory ${dirname(local)}, found none`,
        "is its disk mounted? rclone makes what is missing, on whatever disk that is",
      ),
    ];
  try {
    refuseBlindChecksums(session);
    await lookForFiles(rclone, destination, tuning, world.signal);
    return await checkComparison(session);
  } catch (error) {
    return [findingOf("destination", error)];
  }
}

/** Whether rclone can see there that a file changed whose size is the same. */
async function checkComparison(session: Session): Promise<Finding[]> {
  const { sizesOnly, timesKept } = await comparisonOf(session);
  if (!sizesOnly) return [];
  return [
    comparesChecksums(session.tuning.flags)
      ? warning(
          "destination",
          "rclone.flags: expected checksums that both ends have, found --checksum and none in common",
          "remove --checksum: rclone compares times then",
        )
      : warning(
          "destination",
          `${timesKept ? "source" : "destination"}: expected a storage that keeps times of modification, found one that keeps none`,
          "that a file changed whose size is the same is known there by the manifest in the state directory alone: keep it, and read back with --verify",
        ),
  ];
}

/** Of a directory that crypt encrypts into: as much of its path as is not encrypted. */
function belowCrypt({ destinationPlace: { store, segments } }: Session): string | undefined {
  if (store !== "local") return undefined;
  return `/${segments.filter((segment) => !/^[0-9a-f]{16}:/.test(segment)).join("/")}`;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
