import { access, realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { usage } from "../errors.ts";
import { cronFiles } from "../service/cron.ts";
import { launchdFiles, launchdLog } from "../service/launchd.ts";
import { logrotateFile, newsyslogFile } from "../service/logrotate.ts";
import type { Credential, ServiceFile, ServiceOptions, TimeOfDay } from "../service/options.ts";
import { passwordCredential, systemdFiles } from "../service/systemd.ts";
import { stateRoot } from "../state/directory.ts";
import type { OpenOptions } from "./openbackup.ts";
import type { World } from "./session.ts";
import { needsOfAll, type Needs } from "./units/access.ts";
import { logDirectoryStep, nextSteps, removalSteps, type UnitsKind } from "./units/next.ts";
import { compareFiles, ownFiles, writeFiles, type PlacedFile } from "./units/place.ts";

export interface UnitsRequest extends OpenOptions {
  readonly kind: UnitsKind;
  /** How this process was started, to be found again. */
  readonly started: { readonly node: string; readonly script: string };
  readonly dryRun: boolean;
  readonly force: boolean;
  /** A directory that stands for /. */
  readonly to?: string | undefined;
  /** As 03:00. */
  readonly at?: string | undefined;
  readonly user?: string | undefined;
  readonly readOnlySource: boolean;
  readonly writable: readonly string[];
  /** A file with the password of rclone's configuration. */
  readonly rclonePassword?: string | undefined;
  /** NAME:FILE. */
  readonly credentials: readonly string[];
  readonly log?: string | undefined;
}

export interface UnitsResult {
  readonly kind: UnitsKind;
  readonly dryRun: boolean;
  readonly files: readonly PlacedFile[];
  /** What to type next; a line each. */
  readonly next: readonly string[];
}

/**
 * Makes the files that start `run` by time, as the configurations need them, and writes them unless it
 * is a dry run. All or none are written: what stands in the way is looked for first.
 * Throws a usage failure for that, for a wrong option, and for a configuration that can't be loaded.
 */
export async function makeUnits(request: UnitsRequest, world: World): Promise<UnitsResult> {
  const { kind, to, dryRun, force } = request;
  const writable = request.writable.map((path) => absolute("--writable", path));
  const needs = await needsOfAll({ ...request, writable }, await asTheService(request, world));
  const options = await serviceOptions(request, needs, world);
  const root = to === undefined ? "/" : resolve(world.cwd, to);
  const placed = (file: ServiceFile): ServiceFile => ({ ...file, path: join(root, file.path) });
  const files = await compareFiles(filesOf(kind, options).map(placed), force);
  const paths = files.map(({ path }) => path);
  const obsolete = await ownFiles(
    everyPath(kind, options)
      .map((path) => join(root, path))
      .filter((path) => !paths.includes(path)),
  );
  if (!dryRun) {
    if (to === undefined && options.scope === "system" && !world.isRoot)
      throw usage("expected root for units of the machine, found another user", {
        hint: "--to DIRECTORY writes them below a directory of yours",
      });
    await writeFiles(files, to !== undefined || options.scope === "user");
  }
  if (needs.hasHooks && kind === "systemd" && options.scope === "system")
    world.events.warn(
      "the commands of hooks and notices may write only where backups do, and where --writable says",
    );
  if (
    needs.localMail &&
    kind === "systemd" &&
    !(options.scope === "system" && options.user === "root")
  )
    world.events.warn(
      "mail: a service that isn't root's can't hand mail to a sendmail that changes its group, as Postfix's does; set smtp, such as smtp://localhost:25",
    );
  for (const warning of needs.warnings) world.events.warn(warning);
  const steps = [
    ...removalSteps(kind, options, obsolete),
    ...(await logSteps(options, root)),
    ...nextSteps(kind, options, paths),
  ];
  return { kind, dryRun, files, next: to === undefined ? steps : [copyFirst(root), ...steps] };
}

/** The service reads rclone's configuration with the password it is handed, so it is read with that here, too. */
async function asTheService({ rclonePassword }: UnitsRequest, world: World): Promise<World> {
  if (rclonePassword === undefined || !(await isThere(rclonePassword))) return world;
  const env = { RCLONE_BACKUPS_RCLONE_PASSWORD: `file:${rclonePassword}`, ...world.env };
  return { ...world, env };
}

/** Neither systemd nor a shell makes the directory of the file that it appends to. */
async function logSteps(options: ServiceOptions, root: string): Promise<string[]> {
  if (options.logFile === undefined) return [];
  const directory = dirname(options.logFile);
  const isUsual = directory === "/var/log" || (await isThere(join(root, directory)));
  return isUsual ? [] : [logDirectoryStep(options, directory)];
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function copyFirst(root: string): string {
  return `# once what is below ${root} is where it belongs:`;
}

function filesOf(kind: UnitsKind, options: ServiceOptions): ServiceFile[] {
  if (kind === "launchd") {
    const log = launchdLog(options);
    const rotation = options.scope === "system" ? [newsyslogFile(log, options)] : [];
    return [...launchdFiles(options), ...rotation];
  }
  const { logFile, scope } = options;
  const rotation =
    logFile === undefined || scope === "user" ? [] : [logrotateFile(logFile, options)];
  return [...(kind === "systemd" ? systemdFiles(options) : cronFiles(options)), ...rotation];
}

/** Where a call with other options or configurations may have written. */
function everyPath(kind: UnitsKind, options: ServiceOptions): string[] {
  const logged = { ...options, logFile: options.logFile ?? "/var/log/rclone-backups.log" };
  const variants = [logged, { ...logged, at: undefined, user: "root" }].map((variant) =>
    filesOf(kind, { ...variant, schedules: "some" }).map(({ path }) => path),
  );
  return [...new Set(variants.flat())];
}

async function serviceOptions(
  request: UnitsRequest,
  needs: Needs,
  world: World,
): Promise<ServiceOptions> {
  const { env, isRoot } = world;
  const scope = isRoot || request.user !== undefined ? "system" : "user";
  const home = env["HOME"] || "/";
  const user = userName(request.user ?? "root");
  const usual = stateRoot({}, scope === "system", home);
  const state = env["RCLONE_BACKUPS_STATE"] ? stateRoot(env, isRoot, home) : usual;
  const rcloneConfig = request.rcloneConfig ?? env["RCLONE_CONFIG"];
  const command = await commandOf(request.started, env);
  return {
    command,
    path: searchPath([...needs.programs, command[0] ?? "", request.started.node]),
    env: {
      RCLONE_BACKUPS_DIR: needs.directory,
      // Anybody but root would look in a home directory.
      ...(state === usual && user === "root" ? {} : { RCLONE_BACKUPS_STATE: state }),
      ...(needs.settingsFile === undefined ? {} : { RCLONE_BACKUPS_DEFAULTS: needs.settingsFile }),
      ...(rcloneConfig ? { RCLONE_CONFIG: resolve(world.cwd, rcloneConfig) } : {}),
    },
    scope,
    home,
    user,
    state,
    at: request.at === undefined ? undefined : timeOfDay(request.at),
    schedules: needs.schedules,
    logFile: request.log === undefined ? undefined : absolute("--log", request.log),
    access: needs.access,
    localMail: needs.localMail,
    credentials: credentialsOf(request),
  };
}

/** The name on the PATH that leads here, since it outlives an update, else Node with the script. */
async function commandOf(
  { node, script }: UnitsRequest["started"],
  env: World["env"],
): Promise<string[]> {
  const real = await realpath(script);
  for (const directory of (env["PATH"] ?? "").split(":")) {
    if (!isAbsolute(directory)) continue;
    const candidate = join(directory, "rclone-backups");
    if ((await realpath(candidate).catch(() => undefined)) === real) return [candidate];
  }
  return [node, real];
}

/** Directories of the programs that were found, behind the usual ones. */
function searchPath(programs: readonly string[]): string[] {
  const usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  return [...new Set([...usual, ...programs.map((program) => dirname(program))])];
}

function credentialsOf({ kind, rclonePassword, credentials }: UnitsRequest): Credential[] {
  const all = [
    ...(rclonePassword === undefined ? [] : [`${passwordCredential}:${rclonePassword}`]),
    ...credentials,
  ];
  if (all.length > 0 && kind !== "systemd")
    throw usage(`expected credentials with --systemd only, found them with --${kind}`, {
      hint: "set password = file:PATH in [rclone]",
    });
  return all.map((text) => {
    const [, name = "", file = ""] = /^([\w.-]+):(.+)$/s.exec(text) ?? [];
    if (name === "") throw usage(`--credential: expected NAME:FILE, found ${JSON.stringify(text)}`);
    return { name, file: absolute(name, file) };
  });
}

function userName(text: string): string {
  if (/^[\w.][\w.-]*\$?$/.test(text)) return text;
  throw usage(`--user: expected the name of a user, found ${JSON.stringify(text)}`);
}

function timeOfDay(text: string): TimeOfDay {
  const [, hour, minute] = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour === undefined)
    throw usage(`--at: expected a time such as 03:00, found ${JSON.stringify(text)}`);
  return { hour: Number(hour), minute: Number(minute) };
}

function absolute(option: string, path: string): string {
  if (isAbsolute(path)) return resolve(path);
  throw usage(`${option}: expected an absolute path, found ${JSON.stringify(path)}`);
}
