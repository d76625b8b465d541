import type { Section } from "./definition.ts";
import { findKey, keys, sections } from "./definition.ts";
import { escapeInterpolation } from "./interpolate.ts";
import type { LoadedBackup } from "./load.ts";
import type { Setting } from "./provenance.ts";
import { isCommand } from "./secret.ts";
import { writeValue } from "./value.ts";

/**
 * The effective configuration as a valid configuration file, with the origin of each value in a
 * comment and secrets masked. Rules keep their bytes; lib/output makes it fit for a terminal.
 */
export function showConfig({ backup, provenance }: LoadedBackup): string {
  const all = provenance();
  const lines = [
    `; ${comment(backup.name)}: the effective configuration of ${comment(backup.file)}`,
  ];
  for (const { name, holds } of sections) {
    const settings = all.filter((setting) => setting.section === name);
    if (settings.length === 0) continue;
    lines.push("", `[${name}]`, ...(isList(holds) ? showLines(settings) : showKeys(settings)));
  }
  return `${lines.join("\n")}\n`;
}

/** The value of --show-config --json; `config` is valid by docs/configuration.schema.json. */
export interface ConfigJson {
  readonly name: string;
  readonly file: string;
  readonly config: Readonly<Record<string, Readonly<Record<string, string>> | readonly string[]>>;
  readonly settings: readonly Setting[];
}

/** The effective configuration as data, secrets masked. */
export function configJson({ backup, provenance }: LoadedBackup): ConfigJson {
  const all = provenance();
  const config: Record<string, Record<string, string> | string[]> = {};
  for (const { name, holds } of sections) {
    const settings = all.filter((setting) => setting.section === name);
    config[name] = isList(holds)
      ? settings.map((setting) => setting.value)
      : Object.fromEntries(settings.map(({ key, value }) => [key, value]));
  }
  return { name: backup.name, file: backup.file, config, settings: all };
}

function showKeys(settings: readonly Setting[]): string[] {
  const lines = settings.map((setting) => ({
    text: `${lead(setting)}${written(setting)}`,
    origin: comment(setting.origin),
  }));
  const width = Math.min(60, Math.max(...lines.map(({ text }) => text.length)));
  return lines.map(({ text, origin }) => `${text.padEnd(width)}  ; ${origin}`);
}

/** What is extended is in here already, so the line is a comment. */
function lead({ section, key }: Setting): string {
  return section === keys.extends.section && key === keys.extends.name
    ? "; extends = "
    : `${key} = `;
}

function written({ section, key, value }: Setting): string {
  const kind = findKey(section, key)?.kind;
  const literal = kind?.interpolated === false || (kind?.secret === true && isCommand(value));
  return writeValue(literal ? value : escapeInterpolation(value));
}

/** Whether the order of a section's lines counts. */
function isList(holds: Section["holds"]): boolean {
  return holds === "rules" || holds === "retention";
}

/** Rules can have no comment beside them, so one above tells the lines that they come from. */
function showLines(settings: readonly Setting[]): string[] {
  const lines: string[] = [];
  let before: string | undefined;
  for (const { value, origin } of settings) {
    const file = origin.replace(/:\d+$/, "");
    if (file !== before) lines.push(`; from ${comment(origin)} on`);
    before = file;
    // A CR at a line's end would be taken for a part of CRLF.
    lines.push(value.endsWith("\r") ? `${value}\r` : value);
  }
  return lines;
}

/** A comment ends with its line, whatever a file's name holds. */
function comment(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f]/g, "?");
}
