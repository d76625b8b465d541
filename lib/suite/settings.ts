import { readFile } from "node:fs/promises";
import path from "node:path";
import type { NotifySettings } from "../config/backup.ts";
import type { Environment } from "../config/interpolate.ts";
import type { Key } from "../config/keys.ts";
import type { Problem } from "../config/problem.ts";
import { didYouMean, problemOf, problemsFailure, quoted } from "../config/problem.ts";
import { placeSecret } from "../config/secret.ts";
import { systemCode, usage } from "../errors.ts";
import { suggest } from "../units/suggest.ts";
import { parseDefaults } from "./defaults.ts";
import { allSettings, settingKeys } from "./settingkeys.ts";

/** Where the settings of the whole are read from when $RCLONE_BACKUPS_DEFAULTS names no other file. */
const defaultFile = "/etc/default/rclone-backups";

/**
 * What holds for all backups together. The canaries and what `notify` holds of URLs are secrets that
 * are not resolved yet, as in NotifySettings.
 */
export interface Settings {
  readonly canary: string | undefined;
  readonly canaryStart: string | undefined;
  readonly canaryFail: string | undefined;
  /** Bytes a day; 0: nothing is verified. */
  readonly verifyBudget: number;
  readonly verifyTransactions: number | undefined;
  /** The time zone of the provider's day. */
  readonly verifyDay: string;
  readonly jobs: number;
  /** Commands for `/bin/sh -c`. */
  readonly beforeAll: string | undefined;
  readonly afterAll: string | undefined;
  readonly hookTimeoutSeconds: number;
  /** It has no `ping`: the canaries are that. */
  readonly notify: NotifySettings;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** What is not wrong, but not meant either: names that are no settings, a file that can't be read. */
  readonly warnings: readonly string[];
  /** The file that holds the others, whether it is there or not; absolute. */
  readonly file: string;
  /** Names of those that the environment sets to something else than the file does. */
  readonly fromEnvironment: readonly string[];
}

export interface SettingsOptions {
  readonly env: Environment;
  /** What relative paths in the environment start at. */
  readonly cwd: string;
}

interface Text {
  readonly text: string;
  readonly where: string;
  /** The directory that a relative path starts at. */
  readonly base: string;
}

/**
 * Reads the settings of the whole: the environment's, else those of /etc/default/rclone-backups or the
 * file that $RCLONE_BACKUPS_DEFAULTS names, else the defaults. An empty variable sets nothing.
 * Throws a usage failure that lists everything that is wrong, a line each, with its place.
 */
export async function loadSettings({ env, cwd }: SettingsOptions): Promise<LoadedSettings> {
  const own = env["RCLONE_BACKUPS_DEFAULTS"];
  const file = own ? path.resolve(cwd, own) : defaultFile;
  const { text, warning } = await readDefaults(file, Boolean(own));
  const found = readTexts(text, file);
  const fromEnvironment: string[] = [];
  for (const { name } of allSettings) {
    const value = env[name];
    if (value && value !== found.texts.get(name)?.text) fromEnvironment.push(name);
    if (value) found.texts.set(name, { text: value, where: `environment ${name}`, base: cwd });
  }
  const problems = [...found.problems, ...allSettings.flatMap((key) => wrong(key, found.texts))];
  if (problems.length > 0) throw problemsFailure(problems);
  return {
    settings: settingsOf((key) => key.read(textOf(key, found.texts))),
    warnings: [...(warning === undefined ? [] : [warning]), ...found.warnings],
    ...{ file, fromEnvironment },
  };
}

/** A file of one's own must be there; the usual one need not, and may be for other eyes. */
async function readDefaults(
  file: string,
  named: boolean,
): Promise<{ readonly text: string; readonly warning?: string }> {
  try {
    return { text: await readFile(file, "utf8") };
  } catch (error) {
    const code = systemCode(error) ?? "unreadable";
    if (!named && (code === "ENOENT" || code === "ENOTDIR")) return { text: "" };
    const message = `expected settings in ${file}, found it unreadable (${code})`;
    if (!named && code === "EACCES") return { text: "", warning: message };
    throw usage(named ? `RCLONE_BACKUPS_DEFAULTS: ${message}` : message, { cause: error });
  }
}

interface Found {
  readonly texts: Map<string, Text>;
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

function readTexts(text: string, file: string): Found {
  const { assignments, problems } = parseDefaults(text);
  const known = allSettings.map(({ name }) => name);
  const texts = new Map<string, Text>();
  const found: Problem[] = problems.map(({ line, ...rest }) => ({
    where: `${file}:${line}`,
    ...rest,
  }));
  const warnings: string[] = [];
  for (const { name, text: value, line, problem } of assignments) {
    const where = `${file}:${line}`;
    if (!known.includes(name)) {
      const near = didYouMean(nearest(name, known));
      const hint = near === undefined ? "" : ` (${near})`;
      warnings.push(`${where}: expected a setting, found ${quoted(name)}, which is none${hint}`);
    } else if (problem !== undefined) {
      found.push({ where: `${where}: ${name}`, ...problem });
    } else {
      texts.set(name, { text: value, where: `${where}: ${name}`, base: path.dirname(file) });
    }
  }
  return { texts, problems: found, warnings };
}

/** What names have in common doesn't make them near. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const prefix = "NOTIFY_";
  if (!name.startsWith(prefix)) return suggest(name, known);
  const tails = known.flatMap((each) =>
    each.startsWith(prefix) ? [each.slice(prefix.length)] : [],
  );
  const near = suggest(name.slice(prefix.length), tails);
  return near === undefined ? undefined : prefix + near;
}

function wrong(key: Key<unknown>, texts: ReadonlyMap<string, Text>): Problem[] {
  try {
    key.read(textOf(key, texts));
    return [];
  } catch (error) {
    return [problemOf(error, texts.get(key.name)?.where ?? key.name)];
  }
}

/** The text of a setting, with paths that mean the same from anywhere; undefined where it isn't set. */
function textOf(key: Key<unknown>, texts: ReadonlyMap<string, Text>): string | undefined {
  const found = texts.get(key.name);
  if (found === undefined || found.text === "") return undefined;
  const { text, base } = found;
  if (key.kind.secret === true) return placeSecret(text, base);
  // A leading ~ is left for the kind to complain of.
  if (key.kind.besideFile === undefined || text.startsWith("~")) return text;
  return path.resolve(base, text);
}

function settingsOf(get: <T>(key: Key<T>) => T): Settings {
  const keys = settingKeys;
  return {
    canary: get(keys.canary),
    canaryStart: get(keys.canaryStart),
    canaryFail: get(keys.canaryFail),
    verifyBudget: get(keys.verifyBudget),
    verifyTransactions: get(keys.verifyTransactions),
    verifyDay: get(keys.verifyDay),
    jobs: get(keys.jobs),
    beforeAll: get(keys.beforeAll),
    afterAll: get(keys.afterAll),
    hookTimeoutSeconds: get(keys.hookTimeout),
    notify: {
      mail: get(keys.mail),
      mailFrom: get(keys.mailFrom),
      smtp: get(keys.smtp),
      webhook: get(keys.webhook),
      webhookTemplate: get(keys.webhookTemplate),
      ntfy: get(keys.ntfy),
      ping: undefined,
      command: get(keys.command),
      on: get(keys.on),
      remindSeconds: get(keys.remind),
    },
  };
}
