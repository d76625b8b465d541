import { usage } from "../errors.ts";
import type { Kind } from "./kinds.ts";

/** Where a key stands and what it is for. */
export interface About {
  readonly section: string;
  readonly name: string;
  /** For the reference; Markdown. */
  readonly summary: string;
  /** A valid value that isn't the default. */
  readonly example: string;
}

/** One key of the configuration. `read` is given no text, or an empty one, when it isn't set. */
export interface Key<T> extends About {
  /** `section.key`, as in --set. */
  readonly id: string;
  readonly kind: Kind<unknown>;
  /** Text of the default, if there is one. */
  readonly fallback: string | undefined;
  readonly required: boolean;
  read(text: string | undefined): T;
}

/** A key that may be left out; an empty value takes back what a parent set. */
export function optional<T>(kind: Kind<T>, about: About): Key<T | undefined> {
  return {
    ...about,
    id: keyId(about),
    kind,
    fallback: undefined,
    required: false,
    read: (text) => (text === undefined || text === "" ? undefined : kind.parse(text)),
  };
}

/** A key with a default. An empty value is an error, since nobody knows what it should mean. */
export function withDefault<T>(kind: Kind<T>, fallback: string, about: About): Key<T> {
  let standard: { readonly value: T } | undefined;
  return {
    ...about,
    id: keyId(about),
    kind,
    fallback,
    required: false,
    read(text) {
      if (text === "") throw usage(`expected ${kind.expects}, found nothing`);
      if (text !== undefined) return kind.parse(text);
      // Read once, however many configurations leave it out.
      standard ??= { value: kind.parse(fallback) };
      return standard.value;
    },
  };
}

/** A list that is empty when it isn't set. */
export function list(kind: Kind<readonly string[]>, about: About): Key<readonly string[]> {
  return {
    ...about,
    id: keyId(about),
    kind,
    fallback: undefined,
    required: false,
    read: (text) => (text === undefined || text === "" ? [] : kind.parse(text)),
  };
}

/** A key that must be set; whoever checks a configuration says so when it isn't. */
export function required(kind: Kind<string>, about: About): Key<string> {
  return {
    ...about,
    id: keyId(about),
    kind,
    fallback: undefined,
    required: true,
    read: (text) => kind.parse(text ?? ""),
  };
}

function keyId(key: Pick<About, "section" | "name">): string {
  return `${key.section}.${key.name}`;
}

/** The environment variable that sets a key. */
export function environmentName(key: Pick<About, "section" | "name">): string {
  return `RCLONE_BACKUPS_${key.section}_${key.name}`.replaceAll("-", "_").toUpperCase();
}
