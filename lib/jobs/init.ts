import { mkdir } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { configDirs, look } from "../config/find.ts";
import { failed, refused, usage } from "../errors.ts";
import { addSection, readPlainConfig } from "../rclone/configfile.ts";
import { lookForFiles } from "../rclone/listing.ts";
import { redactLocation } from "../rclone/location.ts";
import { placeKey } from "../rclone/resolve.ts";
import { writeAtomically } from "../state/atomic.ts";
import { openBackup } from "./openbackup.ts";
import { refuseOverlaps } from "./backup/overlaps.ts";
import { checkName } from "./init/answers.ts";
import { draftBackup, type Draft, type DraftRequest } from "./init/draft.ts";
import type { Passwords } from "./init/passwords.ts";
import { tryDestination } from "./init/trial.ts";
import type { World } from "./session.ts";

export interface InitRequest extends DraftRequest {
  readonly configDir: string | undefined;
  /** Where the recovery sheet is written; the result has it in any case. */
  readonly sheetFile: string | undefined;
  readonly dryRun: boolean;
  /** Asked before anything is written. */
  readonly confirm: (plan: InitPlan) => Promise<boolean>;
}

/** What init will do. */
export interface InitPlan {
  readonly name: string;
  readonly source: string;
  /** Redacted, as everything that is shown. */
  readonly destination: string;
  /** Where the encrypted files go. */
  readonly base: string;
  readonly history: string;
  readonly configFile: string;
  readonly configText: string;
  readonly rcloneConfig: string;
  /** The crypt remote that is made; undefined where there is one already. */
  readonly remote: string | undefined;
  readonly sheetFile: string | undefined;
}

export interface InitResult extends InitPlan {
  readonly dryRun: boolean;
  /** Undefined after a dry run, which makes no password. */
  readonly sheet: string | undefined;
  /** Those that were made, to be shown this once. */
  readonly passwords: Passwords | undefined;
}

/**
 * Makes a backup: looks whether all of it is free and fits, asks, writes, reads and deletes a file at the
 * destination, and then writes the sheet, the remote and the configuration, in this order, so that a
 * password that encrypts anything is on paper first.
 * Throws a usage failure for what exists already or can't be right, refused without a yes, failed for a
 * destination that does not work.
 */
export async function init(request: InitRequest, world: World): Promise<InitResult> {
  const configFile = await freeConfig(request, world);
  const sheetFile =
    request.sheetFile === undefined ? undefined : await freeFile(request.sheetFile, world);
  const draft = await draftBackup(request, configFile, world);
  await requireFree(draft, world);
  const { name, source, target, rcloneConfig, configText } = draft;
  const plan: InitPlan = {
    ...{ name, source: redactLocation(source), destination: redactLocation(target.destination) },
    ...{ base: target.base, history: draft.history, configFile, configText },
    ...{ rcloneConfig, remote: target.crypt, sheetFile },
  };
  if (request.dryRun) return { ...plan, dryRun: true, sheet: undefined, passwords: undefined };
  if (!(await request.confirm(plan)))
    throw refused("expected a yes, found another answer: nothing was written");
  await tryDestination(draft.session, Buffer.from(request.random(8)).toString("hex"));
  // What nobody could read would be lost with the machine: so the passwords are kept first.
  if (sheetFile !== undefined) await writeAtomically(sheetFile, draft.sheet);
  if (draft.section !== undefined) await addSection(rcloneConfig, draft.section);
  await mkdir(dirname(configFile), { recursive: true, mode: 0o755 });
  if ((await look(configFile)) !== "not there") throw exists(configFile);
  await writeAtomically(configFile, configText);
  await readBack(draft, configFile, world);
  return { ...plan, dryRun: false, sheet: draft.sheet, passwords: draft.made };
}

/** Where the configuration goes. Throws a usage failure when any directory has one of this name. */
async function freeConfig(
  { name, configDir }: InitRequest,
  { env, isRoot, cwd }: World,
): Promise<string> {
  checkName(name);
  const directories = configDirs({ configDir, env });
  for (const directory of directories) {
    const file = join(directory, `${name}.conf`);
    if ((await look(file)) !== "not there") throw exists(file);
  }
  const named = Boolean(configDir || env["RCLONE_BACKUPS_DIR"]);
  const chosen = named || isRoot ? directories[0] : directories.at(-1);
  return join(resolve(cwd, chosen ?? "."), `${name}.conf`);
}

function exists(file: string): Error {
  return usage(`expected no configuration ${file}, found one`, {
    hint: "choose another name, or edit it; nothing is ever overwritten",
  });
}

async function freeFile(file: string, { cwd }: World): Promise<string> {
  const path = isAbsolute(file) ? file : resolve(cwd, file);
  if ((await look(path)) === "not there") return path;
  throw usage(`--print-sheet: expected no file ${path}, found one`, {
    hint: "nothing is ever overwritten",
  });
}

/** Throws where files would meet others: at the destination, or those of another backup. */
async function requireFree(
  { session, target, historyPlace, section, rcloneConfig }: Draft,
  world: World,
): Promise<void> {
  if (section !== undefined) await readPlainConfig(rcloneConfig);
  await refuseOverlaps(session, historyPlace);
  const where = section === undefined ? target.destination : target.base;
  const { top } = await lookForFiles(session.rclone, where, session.tuning, world.signal);
  if (top !== "files") return;
  throw usage(`--remote: expected an empty place, found files in ${where}`, {
    hint:
      section === undefined
        ? "name another directory of it"
        : "name a directory of its own, such as one below it; or the crypt remote that encrypts what is there",
  });
}

/** Whether rclone finds what was written as it was meant. */
async function readBack({ session, name }: Draft, file: string, world: World): Promise<void> {
  const { session: found } = await openBackup(file, {}, world);
  if (placeKey(found.destinationPlace) === placeKey(session.destinationPlace)) return;
  throw failed(
    `${name}: expected rclone to see the destination as it was tested, found another place`,
    { hint: "does the environment set options of the remote (RCLONE_CONFIG_…)?" },
  );
}
