import { findKey } from "../../config/definition.ts";
import { maskSecret } from "../../config/secret.ts";

/** The options of the command line that shape a plan, as they were given. */
export interface ShapingOptions {
  readonly configDir?: string | undefined;
  readonly rcloneConfig?: string | undefined;
  readonly copyLinks?: boolean | undefined;
  readonly set?: readonly string[] | undefined;
}

/**
 * The words that a second run needs to come to the same plan, not quoted yet. Secrets in the value
 * of a --set are masked, for the words stand in messages.
 */
export function repeatedOptions(given: ShapingOptions): string[] {
  return [
    ...(given.configDir === undefined ? [] : ["--config-dir", given.configDir]),
    ...(given.rcloneConfig === undefined ? [] : ["--rclone-config", given.rcloneConfig]),
    ...(given.copyLinks === true ? ["--copy-links"] : []),
    ...(given.set ?? []).flatMap((text) => ["--set", maskedSet(text)]),
  ];
}

function maskedSet(text: string): string {
  const [, section = "", name = "", value = ""] = /^([^.=]*)\.([^=]*)=([^]*)$/.exec(text) ?? [];
  const kind = findKey(section.trim(), name.trim())?.kind;
  const shown = kind?.secret === true ? maskSecret(value) : kind?.show?.(value);
  return shown === undefined ? text : `${section}.${name}=${shown}`;
}
