import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBackup } from "../../config/load.ts";
import type { HistoryKind } from "../../config/kinds.ts";
import { usage } from "../../errors.ts";
import { sectionText, type Section } from "../../rclone/configfile.ts";
import { configVariable, parseLocation } from "../../rclone/location.ts";
import { obscuredOptions } from "../../rclone/providers.ts";
import type { ResolveContext } from "../../rclone/resolve.ts";
import { realpathOfMissing } from "../../state/realpath.ts";
import { historyOf, type HistoryPlace } from "../history.ts";
import { openSession, type Session, type World } from "../session.ts";
import { remotesBehind } from "./chain.ts";
import { newConfigText } from "./configtext.ts";
import { sheetRemotes } from "./credentials.ts";
import { chooseHistory } from "./historykind.ts";
import { cryptOptions, newPasswords, type Passwords } from "./passwords.ts";
import { openRclone } from "./rclone.ts";
import { recoverySheet } from "./sheet.ts";
import { checkSource, isOnDiskOf } from "./source.ts";
import { findTarget, type Target } from "./target.ts";

export interface DraftRequest {
  readonly name: string;
  readonly source: string;
  readonly remote: string;
  /** Of the crypt remote to be made; without them new ones are. */
  readonly passwords: Passwords | undefined;
  readonly cron: string | undefined;
  readonly rcloneConfig: string | undefined;
  readonly includeCredentials: boolean;
  readonly random: (bytes: number) => Uint8Array;
}

/** A backup as it will be, with nothing written yet. */
export interface Draft {
  readonly name: string;
  readonly source: string;
  readonly target: Target;
  readonly history: HistoryKind;
  readonly mount: string | undefined;
  /** The remote to be made; undefined where an encrypted one is used. */
  readonly section: Section | undefined;
  /** Of the section, if they are new. */
  readonly made: Passwords | undefined;
  readonly rcloneConfig: string;
  readonly configText: string;
  readonly sheet: string;
  /** Works with the destination, though the remote is in no file yet. */
  readonly session: Session;
  readonly historyPlace: HistoryPlace | undefined;
}

/**
 * Makes up a backup from what is wanted; `file` is where its configuration will be. Throws what is wrong
 * with it.
 */
export async function draftBackup(
  request: DraftRequest,
  file: string,
  world: World,
): Promise<Draft> {
  const { name, random } = request;
  const { rclone, remotes, config: rcloneConfig } = await openRclone(request.rcloneConfig, world);
  const source = await checkSource(request.source, world.cwd);
  const context: ResolveContext = {
    ...{ remotes, env: rclone.env, cwd: world.cwd },
    realpath: realpathOfMissing,
  };
  const target = findTarget(name, request.remote, context);
  if (target.crypt === undefined && request.passwords !== undefined)
    throw usage(
      "--password-file: expected a remote to be made with it, found one that encrypts already",
      { hint: "leave it out" },
    );
  const passwords =
    target.crypt === undefined ? undefined : (request.passwords ?? newPasswords(random));
  const section =
    target.crypt === undefined || passwords === undefined
      ? undefined
      : { name: target.crypt, options: cryptOptions(target.base, passwords, random) };
  if (section !== undefined) sectionText(section);
  const history = await chooseHistory(target.base, context, world);
  const day = world.now().toISOString().slice(0, 10);
  const configText = newConfigText({
    ...{ name, source: source.text, destination: target.destination, rcloneConfig },
    ...{ mount: source.mount, history, cron: request.cron, day },
  });
  const session = await openDraft({ name, file, configText, rcloneConfig, section }, world);
  const { localSource } = session;
  if (localSource !== undefined && target.place.store === "local") {
    if (await isOnDiskOf(`/${target.place.segments.join("/")}`, localSource))
      world.events.warn(
        "the destination is on the disk of the source: it helps against mistakes, not when the disk dies or is stolen",
      );
  }
  const historyPlace = await historyOf(session);
  const behind = remotesBehind(target.base, context);
  const sections = section === undefined ? behind : [section, ...behind];
  const stored = sections.findLast(({ options }) => options.get("type") === "crypt");
  const base = stored?.options.get("remote") ?? target.base;
  return {
    ...{ name, source: source.text, target, history, mount: source.mount, section },
    ...{ rcloneConfig, configText, session, historyPlace },
    made: request.passwords === undefined ? passwords : undefined,
    sheet: recoverySheet({
      ...{ name, source: source.text, destination: target.destination, base, day },
      isDirectory: parseLocation(base).kind === "local",
      remotes: sheetRemotes(
        sections,
        await obscuredOptions(rclone, world.signal),
        request.includeCredentials,
      ),
      history: historyPlace?.shown.replace(`${standIn}:`, `${target.crypt}:`),
      config: configText,
    }),
  };
}

/** Stands for the new remote: shells drop variables with a dash in their name, and rclone may be a script. */
const standIn = "backup_init";

interface Unwritten {
  readonly name: string;
  readonly file: string;
  readonly configText: string;
  readonly rcloneConfig: string;
  readonly section: Section | undefined;
}

/** A session as the backup will have it: the new remote reaches rclone by its environment. */
async function openDraft(
  { name, file, configText, rcloneConfig, section }: Unwritten,
  world: World,
): Promise<Session> {
  const scratch = await mkdtemp(join(tmpdir(), "rclone-backups-"));
  try {
    const draft = join(scratch, `${name}.conf`);
    await writeFile(draft, configText, { mode: 0o600 });
    const { backup } = await loadBackup(draft, { env: world.env, set: [] });
    const env: Record<string, string | undefined> = { ...world.env, RCLONE_CONFIG: rcloneConfig };
    let { destination } = backup;
    if (section !== undefined) {
      for (const [key, value] of section.options) env[configVariable(standIn, key)] = value;
      destination = destination.replace(`${section.name}:`, `${standIn}:`);
    }
    // The file need not be there yet, and is named by the environment.
    const rclone = { ...backup.rclone, config: undefined };
    return await openSession({ ...backup, file, destination, rclone }, {}, { ...world, env });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
